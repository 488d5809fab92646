"""cases_gossip.py - what peers say of others, said to somebody who fetches: PEX and holepunch as tools against third parties (X01 to X04).

All live on the open network; whoever must not be dialled is a trap. The one who talks is a seed that takes its time.
"""
import socket
import struct

import wire
from krpc import compact
from scene import BOUNDED, CLOSED, COMPLETES, IGNORED, REFUSED, case
from servers import Doors
from target import PORT, Seeder
from wire import EXTENDED, Unexpected, bencode, extended

OUR_PUNCH = 7
RENDEZVOUS, CONNECT, ERROR = range(3)


def told(c, say, **more_ext):
    """A leech that knows one seed, which says `say(peer)` once the target has told it its numbers."""
    def busy(peer):
        if peer.ext and not peer.seen.get("told"):
            peer.seen["told"] = 1
            said.append(1)
            peer.raw(say(peer))
    said = []
    s = c.seeder(busy=busy, delay=0.05)
    s.more_ext = more_ext
    c.get()
    c.until(lambda: said, 10, "the target is told")


def pex(peer, *places, **more):
    if "ut_pex" not in peer.ext:
        raise Unexpected("it has no ut_pex")
    return extended(peer.ext["ut_pex"], bencode({"added": b"".join(map(compact, places)), **more}))


@case("X01c", "PEX names the only one who has it all", COMPLETES, role="get", net=11)
def _(c):
    other = c.also(Seeder(c.content, c.start.honest(3)))
    s = c.seeder(block=lambda p, b, d: None, busy=lambda peer: "ut_pex" in peer.ext and not peer.seen.get("told")
                 and (peer.seen.update(told=1), peer.raw(pex(peer, (other.address, PORT)))))
    c.get()
    c.complete(30)
    if not s.greetings or not other.asked:
        raise Unexpected("it was not through PEX")


# Each names the trap, alone or among others, in a way that must not be believed.
def cut(peer, at, _):
    return extended(peer.ext["ut_pex"], bencode({"added": compact(at) + b"x"}))


def crowd(peer, at, c):
    return pex(peer, at, *[(f"11.98.{k}.{c.start.low}", 4000) for k in range(200)])


def again(peer, at, c):
    return pex(peer, (c.start.hostile(9), 4000)) + pex(peer, at)


UNFIT = [
    ("X02a", "PEX from out there names somebody on this host", lambda c: (f"127.9.9.{c.start.low}", 4000),
     lambda peer, at, c: pex(peer, at)),
    ("X02b", "PEX names the port of a service", lambda c: (f"11.99.{c.start.low}.9", 25), lambda peer, at, c: pex(peer, at)),
    ("X03g", "a list of peers that is a byte too long", None, cut),
    ("X03h", "PEX that adds and drops the same", None, lambda peer, at, c: pex(peer, at, dropped=compact(at))),
    ("X03i", "201 peers in one message", None, crowd),
    ("X03j", "two messages at once, where one a minute is due: the second", None, again),
    ("X03k", "PEX with something behind the dictionary", None, lambda peer, at, c: extended(
        peer.ext["ut_pex"], bencode({"added": compact(at)}) + b"x")),
]
for id_, what_, place_, say_ in UNFIT:
    @case(id_, what_, IGNORED, role="get", net=11)
    def _(c, place=place_, say=say_):
        at = place(c) if place else (f"11.99.{c.start.low}.9", 4000)
        d = c.also(Doors([at]))
        told(c, lambda peer: say(peer, at, c))
        c.complete(30)
        if d.count():
            raise Unexpected("it was dialled")


@case("X01b", "PEX names 50 ports of one host: it gets few connections", BOUNDED, role="get", net=11)
def _(c):
    places = [(f"11.99.{c.start.low}.9", 2000 + k) for k in range(50)]
    d = c.also(Doors(places))
    told(c, lambda peer: pex(peer, *places))
    c.complete(30)
    if not 1 <= d.count() <= 6:  # who ends without a word is dialled once more, the hidden way
        raise Unexpected(f"it got {d.came}")


# ---- ut_holepunch (BEP 55) ----

def punch(peer, kind, place):
    if "ut_holepunch" not in peer.ext:
        raise Unexpected("it has no ut_holepunch")
    return extended(peer.ext["ut_holepunch"], bytes([kind, 0]) + socket.inet_aton(place[0]) + struct.pack(">HI", place[1], 0))


def punched(c, places):
    """A leech is told to connect to these; the packets and connections each got."""
    udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in places]
    for s, place in zip(udp, places):
        s.bind(place)
        s.setblocking(False)
    d = c.also(Doors(places))
    try:
        told(c, lambda peer: b"".join(punch(peer, CONNECT, p) for p in places), ut_holepunch=OUR_PUNCH)
        c.complete(30)
        came = d.count()
        for s in udp:
            try:
                while s.recv(2048):
                    came += 1
            except BlockingIOError:
                pass
        return came
    finally:
        for s in udp:
            s.close()


@case("X04a", "somebody out there says: connect to one on this host", IGNORED, role="get", net=11)
def _(c):
    if punched(c, [(f"127.9.9.{c.start.low}", 4000)]):
        raise Unexpected("it did")


@case("X04b", "says: connect to a service's port", IGNORED, role="get", net=11)
def _(c):
    if punched(c, [(f"11.99.{c.start.low}.9", 53)]):
        raise Unexpected("it did")


@case("X04c", "says: connect to 40 ports of one host: it gets few packets", BOUNDED, role="get", net=11)
def _(c):
    came = punched(c, [(f"11.99.{c.start.low}.9", 2000 + k) for k in range(40)])
    if not 1 <= came <= 16:  # three tries, by either transport, and what is repeated of them
        raise Unexpected(f"it got {came}")


def joined(c, k=0):
    p = c.join_ext(k, m={"ut_holepunch": OUR_PUNCH, "ut_metadata": wire.OUR_METADATA})
    if "ut_holepunch" not in p.ext:
        raise Unexpected("it has no ut_holepunch")
    return p


@case("X04d", "asks to be introduced to itself, to nobody, and to one who has no holepunch", REFUSED, only_ours=True)
def _(c):
    p, other = joined(c), c.join_ext(1)
    for place, code in ((p.sock.getsockname(), 4), (("11.1.2.3", 9), 2), (other.sock.getsockname(), 3)):
        p.raw(punch(p, RENDEZVOUS, place))
        body = p.wait_for(lambda k, b: k == EXTENDED and b[0] == OUR_PUNCH, 5 * c.patience)
        if body[1] != ERROR or int.from_bytes(body[-4:], "big") != code:
            raise Unexpected(f"the answer is {body[1:].hex()}")
    p.expect_served(c.content)


@case("X04e", "a holepunch message that is cut, and one of an unknown kind", CLOSED, only_ours=True)
def _(c):
    for said in (bytes([RENDEZVOUS, 0]) + bytes(3), bytes([77, 0]) + bytes(10), bytes([RENDEZVOUS, 9]) + bytes(10)):
        p = joined(c)
        p.raw(extended(p.ext["ut_holepunch"], said)).expect_closed(3)


@case("X04f", "asks for introductions without end", CLOSED, only_ours=True)
def _(c):
    p = joined(c)
    p.flood(punch(p, RENDEZVOUS, ("11.1.2.3", 9)) * 500, 6 * c.patience)
    p.expect_closed(1)


@case("X04h", "asks 9,000 times to be introduced to one: who is named hears of few of them", BOUNDED, only_ours=True)
def _(c):
    p, other = joined(c), joined(c, 1)
    p.flood(punch(p, RENDEZVOUS, other.sock.getsockname()) * 500, 3, total=9000 * 18)
    other.settle(1)
    if not 1 <= other.seen[EXTENDED] <= 101:
        raise Unexpected(f"it heard {other.seen[EXTENDED]} times")


@case("X04g", "the same message of holepunch for what it never switched on", IGNORED, only_ours=True)
def _(c):
    p = c.join_ext()
    p.raw(punch(p, RENDEZVOUS, ("11.1.2.3", 9))).settle(0.5)
    if p.seen[EXTENDED] > 1:
        raise Unexpected("it answers under number 0")
    p.expect_served(c.content)
