"""cases_extended.py - the extension protocol, ut_metadata, lt_donthave and PEX said wrongly to a seed (M04, M06, M07, X)."""
import struct

import wire
from scene import CLOSED, IGNORED, REFUSED, SERVED, case
from wire import EXTENDED, OUR_DONTHAVE, OUR_METADATA, OUR_PEX, U32, Unexpected, bdecode, bencode, extended, words

DEEP = b"l" * 200_000 + b"e" * 200_000

# No dictionary at all: there is nothing more to say to each other.
BROKEN = [
    ("M07b", "an extended handshake that is a list", b"le"),
    ("M07c", "an extended handshake that is cut", b"d1:md11:ut_metadata"),
    ("M07d", "an empty extended handshake", b""),
    ("M07e", "an extended handshake 200,000 lists deep", DEEP),
    ("M07f", "an extended handshake with a string of 2^63 bytes", b"d1:v9223372036854775807:xe"),
    ("M07g", "an extended handshake with the number -0", b"d1:pi-0ee"),
]
for id_, what_, body in BROKEN:
    @case(id_, what_, CLOSED)
    def _(c, body=body):
        c.join().settle(0.1).raw(extended(0, body)).expect_closed(3)

# A dictionary with strange things in it: what is not usable is not used.
STRANGE = [
    ("M07h", "m is a list", {"m": []}),
    ("M07i", "numbers -1, 256, 2^62 and a string for extensions", {"m": {"ut_metadata": -1, "ut_pex": 256, "lt_donthave": 1 << 62,
                                                                      "x": "1"}}),
    ("M07j", "two extensions under one number", {"m": {"ut_metadata": 1, "ut_pex": 1, "lt_donthave": 1}}),
    ("M07k", "a version of 100 KB", {"m": {}, "v": b"\x1b]0;x\x07\xff" * 12_500}),
    ("M07l", "reqq -1", {"m": {}, "reqq": -1}),
    ("M07m", "reqq 2^62, port 70000, yourip of 3 bytes", {"m": {}, "reqq": 1 << 62, "p": 70000, "yourip": b"abc"}),
    ("M07n", "5,000 extensions, half of them with long names", {"m": {f"{i:04}" + "n" * (i % 2 * 100): i % 256 for i in range(5000)}}),
    ("M01a", "a metadata size of -1", {"m": {"ut_metadata": 1}, "metadata_size": -1}),
    ("M01b", "a metadata size of 2^62", {"m": {"ut_metadata": 1}, "metadata_size": 1 << 62}),
]
for id_, what_, said in STRANGE:
    @case(id_, what_, IGNORED)
    def _(c, said=said):
        c.join().settle(0.1).raw(extended(0, bencode(said))).expect_open(0.2).expect_served(c.content)


def ask(p, piece, kind=0, more=b""):
    return p.raw(extended(p.ext["ut_metadata"], bencode({"msg_type": kind, "piece": piece}) + more))


def answer(p, number=OUR_METADATA, within=3):
    body = p.wait_for(lambda k, b: k == EXTENDED and b[:1] == bytes([number]), within)
    said, end = bdecode(body, 1)
    return said, body[end:]


def info_comes(c, p, number=OUR_METADATA):
    ask(p, 0)
    said, data = answer(p, number)
    if said[b"msg_type"] != 1 or data != c.content.info[:16384]:
        raise Unexpected("the metadata it sends is not the torrent's")


OUTSIDE = [("M06a", "a request for metadata block 2^31", 1 << 31), ("M06b", "a request for metadata block 2^32 - 1", U32),
           ("M06c", "a request for the first metadata block that is none", None)]
for id_, what_, piece in OUTSIDE:
    @case(id_, what_, REFUSED)
    def _(c, piece=piece):
        p = c.join_ext()
        ask(p, piece if piece is not None else -(-len(c.content.info) // 16384))
        if answer(p)[0][b"msg_type"] != 2:
            raise Unexpected("it was not refused")
        info_comes(c, p)


@case("M06d", "a metadata request that is no bencoding", CLOSED)
def _(c):
    p = c.join_ext()
    p.raw(extended(p.ext["ut_metadata"], b"\xff" * 40)).expect_closed(3)


@case("M06e", "a metadata request for block -1", CLOSED)
def _(c):
    ask(p := c.join_ext(), -1)
    p.expect_closed(3)


@case("M06f", "metadata nobody asked for", IGNORED)
def _(c):
    p = c.join_ext()
    ask(p, 0, kind=1, more=b"\xee" * 16384)
    ask(p, 0, kind=2)
    ask(p, 0, kind=77)
    info_comes(c, p)


@case("M06g", "a metadata request with 4 KiB of garbage behind it", IGNORED)
def _(c):
    p = c.join_ext()
    ask(p, 0, more=b"z" * 4096)
    said, data = answer(p)
    if said[b"msg_type"] != 1 or data != c.content.info[:16384]:
        raise Unexpected("not answered as any other")


@case("M07o", "ut_metadata switched off with number 0, then asked for", IGNORED)
def _(c):
    p = c.join_ext()
    p.raw(extended(0, bencode({"m": {"ut_metadata": 0}})))
    ask(p, 0).settle(0.5)
    if p.seen[EXTENDED] > 1:
        raise Unexpected("it answers under number 0")
    p.expect_served(c.content)


@case("M07p", "ut_metadata given another number in the middle", SERVED)
def _(c):
    p = c.join_ext()
    info_comes(c, p)
    p.raw(extended(0, bencode({"m": {"ut_metadata": 200}})))
    info_comes(c, p, 200)


@case("M08b", "the extended handshake eight times, changing", SERVED)
def _(c):
    p = c.join_ext()
    for i in range(8):
        p.raw(extended(0, bencode({"m": {"ut_metadata": 40 + i}, "reqq": 1 + i, "p": i})))
    ask(p, 0)
    answer(p, 47)
    p.expect_served(c.content)


# ---- lt_donthave ----

@case("V54a", "lt_donthave of 3 bytes", CLOSED)
def _(c):
    p = c.join_ext()
    if "lt_donthave" not in p.ext:
        raise Unexpected("it has no lt_donthave")
    p.raw(extended(p.ext["lt_donthave"], bytes(3))).expect_closed(3)


@case("V54b", "lt_donthave of pieces that are none, and of one never had", IGNORED)
def _(c):
    p = c.join_ext()
    n = p.ext.get("lt_donthave", 7)
    p.raw(wire.message(wire.HAVE, words(1)) + b"".join(extended(n, words(i)) for i in (c.content.count, 1 << 31, U32, 0, 0)))
    p.expect_open(0.2).expect_served(c.content)


@case("V54c", "HAVE and lt_donthave of one piece, without end", CLOSED, only_ours=True)
def _(c):
    p = c.join_ext()
    n = p.ext.get("lt_donthave", 7)
    p.flood((wire.message(wire.HAVE, words(0)) + extended(n, words(0))) * 2000, 6 * c.patience)
    p.expect_closed(1)


# ---- sh_key (our own; proto/key_proof.h) ----

HELLO, PROOF, OUR_KEY = b"\1\1", b"\2\1", 9


def acquainted(c):
    """A peer that has had the target's HELLO, and the number it takes ours under."""
    p = c.join_ext(m={"sh_key": OUR_KEY})
    if "sh_key" not in p.ext:
        raise Unexpected("it has no sh_key")
    p.wait_for(lambda kind, body: kind == EXTENDED and body[0] == OUR_KEY and body[1:3] == HELLO, 5 * c.patience)
    return p, p.ext["sh_key"]


@case("K01a", "a second key on one connection", CLOSED, only_ours=True)
def _(c):
    p, n = acquainted(c)
    p.raw(extended(n, HELLO + bytes(64)) + extended(n, HELLO + b"\1" * 64)).expect_closed(3)


@case("K01b", "a proof before any key", CLOSED, only_ours=True)
def _(c):
    p, n = acquainted(c)
    p.raw(extended(n, PROOF + bytes(64))).expect_closed(3)


@case("K01c", "a key message that is cut", CLOSED, only_ours=True)
def _(c):
    p, n = acquainted(c)
    p.raw(extended(n, HELLO + bytes(63))).expect_closed(3)


@case("K01d", "false proofs without end", CLOSED, only_ours=True)
def _(c):
    p, n = acquainted(c)
    p.raw(extended(n, HELLO + b"\7" * 64) + extended(n, PROOF + bytes(64)) * 2).expect_closed(3)


@case("K01e", "one false proof, and key messages of a later version", SERVED, only_ours=True)
def _(c):
    p, n = acquainted(c)
    p.raw(extended(n, HELLO + b"\7" * 64) + extended(n, PROOF + bytes(64)) + extended(n, b"\1\2") + extended(n, b"\7\1xyz"))
    p.expect_open(0.2).expect_served(c.content)


@case("K01f", "the target's own key and nonce sent back to it", SERVED, only_ours=True)
def _(c):
    p = c.join_ext(m={"sh_key": OUR_KEY})
    body = p.wait_for(lambda kind, body: kind == EXTENDED and body[0] == OUR_KEY, 5 * c.patience)
    p.raw(extended(p.ext["sh_key"], bytes(body[1:])))
    p.settle(0.3)
    if p.seen[EXTENDED] > 2:
        raise Unexpected("it signed a text that could be sent back to it")
    p.expect_served(c.content)


# ---- PEX (BEP 11), where the target has it ----

def pex(p, **said):
    return extended(p.ext.get("ut_pex", 1), bencode({k.replace("_", "."): v for k, v in said.items()}))


def v4(ip, port):
    return bytes(map(int, ip.split("."))) + struct.pack(">H", port)


PEX = [
    ("X03a", "PEX with addresses of 5 bytes", lambda p: pex(p, added=b"12345")),
    ("X03b", "PEX with more flags than peers", lambda p: pex(p, added=v4("127.8.0.1", 9), added_f=b"\0" * 400)),
    ("X03c", "PEX whose lists are numbers", lambda p: pex(p, added=7, dropped=[])),
    ("X03d", "PEX that adds and drops the same", lambda p: pex(p, added=v4("127.8.0.1", 9), dropped=v4("127.8.0.1", 9))),
    ("X03e", "PEX with port 0, this host, broadcast and multicast", lambda p: pex(p, added=v4("127.8.0.1", 0) + v4(
        "0.0.0.0", 80) + v4("255.255.255.255", 80) + v4("224.0.0.1", 80))),
    ("X03f", "PEX with 10,000 peers of each family", lambda p: pex(p, added=b"".join(v4("127.8.1.1", 2000 + i) for i in range(10_000)),
                                                                   added6=b"".join(bytes(15) + b"\1" + struct.pack(">H", 2000 + i)
                                                                                   for i in range(10_000)))),
]
for id_, what_, said in PEX:  # heard as nonsense, once, and no reason to part; a leech: cases_gossip.py
    @case(id_, what_, IGNORED)
    def _(c, said=said):
        p = c.join_ext()
        p.raw(said(p)).expect_open(0.3).expect_served(c.content)
