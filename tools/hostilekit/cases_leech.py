"""cases_leech.py - false data and false promises to somebody who fetches (W08 to W13, W21, W25, X01)."""
import select
import socket
import threading
import time

import wire
from content import Content
from scene import BANNED, BOUNDED, CLOSED, COMPLETES, REFUSED, case
from target import PORT
from wire import (ALLOWED_FAST, BLOCK, CHOKE, HAVE, HAVE_ALL, PIECE, REJECT, SUGGEST, UNCHOKE, Unexpected, bencode, extended,
                  message, words)


def spoil(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def some(piece):
    return piece % 3 == 0


# One polluter beside an honest seed that is slow enough for both to be asked. `which`: the blocks it spoils.
POLLUTERS = [
    ("W10a", "one false block in every piece", "v2", lambda piece, begin: begin == 0),
    ("W10b", "one false block in every piece", "v1", lambda piece, begin: begin == 0),
    ("W10c", "one false block in every piece", "hybrid", lambda piece, begin: begin == 0),
    ("W10d", "every block false", "v1", lambda piece, begin: True),
    ("W10e", "every block false", "v2", lambda piece, begin: True),
    ("W10f", "a false block in every third piece", "v1", lambda piece, begin: some(piece) and begin == BLOCK),
    ("W10g", "a false block in every third piece", "v2", lambda piece, begin: some(piece) and begin == BLOCK),
]
for id_, what_, form_, which in POLLUTERS:
    @case(id_, f"{what_} ({form_})", BANNED, role="get", form=form_, memory=64)
    def _(c, which=which):
        c.seeder(block=lambda piece, begin, data: spoil(data) if which(piece, begin) else data)
        c.honest_seeder(delay=0.03)
        c.get()
        c.complete(40)
        c.banned()


@case("W11a", "three polluters of one block each among two honest seeds (v1)", COMPLETES, role="get", form="v1")
def _(c):
    for k in range(3):
        c.seeder(k, block=lambda piece, begin, data: spoil(data) if begin == 3 * BLOCK else data)
    for k in range(2):
        c.honest_seeder(k, delay=0.03)
    c.get()
    c.complete(60)


@case("W11b", "the polluter's own blocks are true, and it says the honest one's again, false", COMPLETES, role="get", form="v1")
def _(c):
    def block(piece, begin, data):
        other = (begin + BLOCK) % c.content.piece_length(piece) // BLOCK * BLOCK
        return [message(PIECE, words(piece, begin) + data), message(PIECE, words(piece, other) + b"\xee" * BLOCK)]
    c.seeder(block=block)
    c.honest_seeder(delay=0.03)
    c.get()
    c.complete(40)


# What a seed may do instead of sending the block it was asked for. The download must be finished by the honest one.
ANSWERS = [
    ("W12a", "says it has all and sends nothing", lambda c: dict(block=lambda p, b, d: None)),
    ("W12b", "rejects every request", lambda c: dict(
        block=lambda p, b, d: [message(REJECT, words(p, b, len(d)))])),
    ("W12c", "chokes at every request, and unchokes", lambda c: dict(
        block=lambda p, b, d: [message(CHOKE), message(UNCHOKE)])),
    ("W13a", "sends each block a byte at a time", lambda c: dict(
        block=lambda p, b, d: [message(PIECE, words(p, b) + d)[:14]])),
    ("W08b", "blocks of half the length", lambda c: dict(block=lambda p, b, d: d[:len(d) // 2])),
    ("W08c", "blocks of another piece", lambda c: dict(
        block=lambda p, b, d: [message(PIECE, words((p + 1) % c.content.count, b) + d)])),
    ("W08d", "blocks from one byte further on", lambda c: dict(
        block=lambda p, b, d: [message(PIECE, words(p, b + 1) + c.content.block(p, b + 1, len(d)).ljust(len(d), b"\0"))])),
    ("W08e", "blocks of a piece that is none", lambda c: dict(
        block=lambda p, b, d: [message(PIECE, words(c.content.count + p, b) + spoil(d))])),
    ("W08f", "each block twice, the second false", lambda c: dict(
        block=lambda p, b, d: [message(PIECE, words(p, b) + d), message(PIECE, words(p, b) + spoil(d))])),
    ("W25a", "hangs up at each request", lambda c: dict(block=lambda p, b, d: hang_up())),
]


def hang_up():
    raise OSError("by design")


for id_, what_, hooks in ANSWERS:
    @case(id_, what_, COMPLETES, role="get")
    def _(c, hooks=hooks):
        c.seeder(**hooks(c))
        c.honest_seeder(delay=0.01)
        c.get()
        c.complete(40)


# The same without anybody honest: such a seed is let go.
ALONE = [
    ("W08g", "blocks of half the length, for ever", dict(block=lambda p, b, d: d[:len(d) // 2])),
    ("W08h", "blocks of a piece that is none, for ever", dict(block=lambda p, b, d: [
        message(PIECE, words(p + 99999, b) + d)] * 80)),
]
for id_, what_, hooks in ALONE:
    @case(id_, what_, CLOSED, role="get")
    def _(c, hooks=hooks):
        s = c.seeder(**hooks)
        c.get()
        c.until(lambda: s.left > 0, 20, "it is let go")


@case("W21a", "suggests and allows pieces fast, then rejects them", COMPLETES, role="get")
def _(c):
    def hello(peer):
        n = c.content.count
        peer.raw(message(HAVE_ALL) + b"".join(message(k, words(i)) for i in range(n) for k in (SUGGEST, ALLOWED_FAST)))
    c.seeder(hello=hello, block=lambda p, b, d: [message(REJECT, words(p, b, len(d)))])
    c.honest_seeder(delay=0.01)
    c.get()
    c.complete(40)


@case("W21b", "suggests and allows fast what is out of range", COMPLETES, role="get")
def _(c):
    def hello(peer):
        peer.raw(message(HAVE_ALL) + b"".join(message(k, words(i)) for i in (c.content.count, 1 << 31, 0xFFFFFFFF)
                                              for k in (SUGGEST, ALLOWED_FAST)) + message(UNCHOKE))
    c.seeder(hello=hello)
    c.honest_seeder(delay=0.01)
    c.get()
    c.complete(40)


@case("W05c", "10,000 HAVEs of pieces it has said already, then serves", COMPLETES, role="get")
def _(c):
    def hello(peer):
        c.seeders[0].greet(peer)
        peer.raw(message(HAVE, words(0)) * 9000)
    c.seeder(hello=hello)
    c.get()
    c.complete(40)


@case("W25b", "the connection ends in the middle of each block", COMPLETES, role="get")
def _(c):
    def block(p, b, d):
        peer = c.seeders[0].live[-1]
        peer.raw(message(PIECE, words(p, b) + d)[:9000])
        raise OSError("by design")
    c.seeder(block=block)
    c.honest_seeder(delay=0.01)
    c.get()
    c.complete(40)


@case("W12d", "eight who have all and send nothing, one honest", COMPLETES, role="get")
def _(c):
    for k in range(8):
        c.seeder(k, block=lambda p, b, d: None)
    c.honest_seeder(delay=0.01)
    c.get()
    c.complete(18)


def nobody(c):
    """The first of the seeders is no peer of this torrent."""
    if c.seeders[0].asked:
        raise Unexpected("it was asked for blocks")


@case("W17a", "answers with the handshake of another torrent", COMPLETES, role="get")
def _(c):
    c.seeder(handshake=lambda h, i, bits: wire.handshake(b"\x11" * 20, i, bits))
    c.honest_seeder(delay=0.01)
    c.get()
    c.complete(40)
    nobody(c)


@case("W17b", "answers with what was said to it, peer id and all", COMPLETES, role="get")
def _(c):
    c.seeder(handshake=lambda h, i, bits: c.seeders[0].live[-1].hello)
    c.honest_seeder(delay=0.01)
    c.get()
    c.complete(40)
    nobody(c)


@case("V06a", "answers a v1 greeting with the v2 hash, though it cannot v2", COMPLETES, role="get")
def _(c):
    c.seeder(handshake=lambda h, i, bits: wire.handshake(c.content.sha256[:20], i, (wire.EXT_BIT, wire.FAST_BIT)))
    c.honest_seeder(delay=0.01)
    c.get()
    c.complete(40)
    if not c.seeders[0].asked:  # the hash says it (libtorrent without metadata leaves the bit out)
        raise Unexpected("it was not asked for blocks")


TORN = [("V06b", "a hybrid whose v1 and v2 hashes are of different bytes; who has those of v2 comes", False),
        ("V06c", "the same, and who comes has those of v1", True)]
for id_, what_, v1_ in TORN:
    @case(id_, what_, REFUSED, role="get")
    def _(c, v1=v1_):
        true = c.content.data
        false = b"".join(spoil(true[i:i + BLOCK]) for i in range(0, len(true), BLOCK))
        c.content = Content("hybrid", true, c.content.piece, sha1_of=false)
        honest = [c.honest_seeder(k, block=(lambda p, b, d: spoil(d)) if v1 else lambda p, b, d: d) for k in range(2)]
        c.get()
        c.program.wait("error", 15 * c.patience)
        code = c.program.process.wait(10) if c.program.last("error") else None
        if code != 3:
            raise Unexpected(f"exit code {code} where 3 (a bad torrent) was due")
        if "contradicts itself" not in c.program.last("error")["what"]:
            raise Unexpected("it does not say why")
        if not any(s.asked for s in honest):
            raise Unexpected("nobody was asked")


@case("M11a", "the v2 bit on a torrent without v2, then hash messages", CLOSED, role="get", form="v1")
def _(c):
    def hello(peer):
        s.greet(peer)
        peer.raw(message(wire.HASHES, bytes(32) + words(0, 0, 2, 0) + bytes(64)))
    s = c.seeder(bits=(wire.EXT_BIT, wire.FAST_BIT, wire.V2_BIT), hello=hello, block=lambda p, b, d: None)
    c.honest_seeder(delay=0.08)
    c.get()
    c.until(lambda: s.left > 0, 5, "it is let go")
    if c.program.last("complete"):
        raise Unexpected("it is let go when all is over")
    c.complete(40)


@case("X01a", "PEX names one host 500 times, with 500 ports", BOUNDED, role="get")
def _(c):
    victim, seen, open_ = f"127.8.0.{c.start.low}", [], []
    for port in range(2000, 2500):
        open_.append(socket.create_server((victim, port), backlog=1))

    def watch():
        end, by, poll = time.monotonic() + 6, {s.fileno(): s for s in open_}, select.poll()
        for fd in by:
            poll.register(fd, select.POLLIN)
        while time.monotonic() < end:
            for fd, _ in poll.poll(200):
                by[fd].accept()[0].close()
                seen.append(fd)

    def busy(peer):
        if "ut_pex" in peer.ext and not peer.seen.get("named"):
            peer.seen["named"] = 1
            ip = socket.inet_aton(victim)
            for i in range(10):
                added = b"".join(ip + (2000 + 50 * i + k).to_bytes(2, "big") for k in range(50))
                peer.raw(extended(peer.ext["ut_pex"], bencode({"added": added, "added.f": bytes(50)})))

    c.seeder(busy=busy, delay=0.5)
    t = threading.Thread(target=watch)
    t.start()
    c.get()
    t.join()
    for s in open_:
        s.close()
    if len(seen) > 60:
        raise Unexpected(f"one host was dialled {len(seen)} times in 6 s")
