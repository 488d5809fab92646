"""cases_frames.py - messages of the wrong length, in the wrong order, about what does not exist (W01, W03, W04, W06, W15)."""
import wire
from scene import CLOSED, IGNORED, REFUSED, case
from wire import (ALLOWED_FAST, BITFIELD, BLOCK, CANCEL, EXT_BIT, FAST_BIT, HASH_REQUEST, HAVE, HAVE_NONE, PIECE,
                  REJECT, REQUEST, SUGGEST, U32, Unexpected, message, request, words)

# Each is said after good handshakes by a peer that can all extensions, and must end the connection.
FRAMES = [
    ("W01a", "a length of 4 GiB - 1", lambda c: b"\xff\xff\xff\xff\x07"),
    ("W01b", "a length of 2 GiB", lambda c: b"\x80\0\0\0\x14"),
    ("W01c", "a block of 16 KiB + 1, which nobody asks for", lambda c: message(PIECE, words(0, 0) + bytes(BLOCK + 1))),
    ("W01d", "a block message without a block", lambda c: message(PIECE, words(0, 0))),
    ("W01e", "HAVE of 3 bytes", lambda c: message(HAVE, bytes(3))),
    ("W01f", "HAVE of 8 bytes", lambda c: message(HAVE, bytes(8))),
    ("W01g", "CHOKE with a body", lambda c: message(wire.CHOKE, b"\0")),
    ("W01h", "REQUEST of 8 bytes", lambda c: message(REQUEST, bytes(8))),
    ("W01i", "CANCEL of 16 bytes", lambda c: message(CANCEL, bytes(16))),
    ("W01j", "PORT of 4 bytes", lambda c: message(wire.PORT, bytes(4))),
    ("W01k", "HAVE NONE with a body", lambda c: message(HAVE_NONE, b"\1")),
    ("W01l", "REJECT of 4 bytes", lambda c: message(REJECT, bytes(4))),
    ("W01m", "an extension message of 2 MiB", lambda c: b"\0\x20\0\x02\x14\x02" + bytes(4096)),
    ("W01n", "a message of 2 MiB of a kind nobody knows", lambda c: b"\0\x20\0\x02\xc8" + bytes(4096)),
    ("W03a", "a bitfield that is a byte short", lambda c: message(BITFIELD, bytes((c.content.count + 7) // 8 - 1))),
    ("W03b", "a bitfield that is a byte long", lambda c: message(BITFIELD, bytes((c.content.count + 7) // 8 + 1))),
    ("W03c", "an empty bitfield", lambda c: message(BITFIELD)),
    ("W03d", "a bitfield, then one that is a byte short", lambda c: field(c) + message(BITFIELD, field(c)[5:-1])),
    ("W03f", "HAVE NONE twice", lambda c: message(HAVE_NONE) * 2),
    ("W03g", "a bitfield of 1 MiB", lambda c: b"\0\x10\0\x01\x05" + bytes(8192)),
    ("W04a", "HAVE of the first piece that is none", lambda c: message(HAVE, words(c.content.count))),
    ("W04b", "HAVE of piece 2^31", lambda c: message(HAVE, words(1 << 31))),
    ("W04c", "HAVE of piece 2^32 - 1", lambda c: message(HAVE, words(U32))),
    ("W06a", "100 requests for pieces that are none", lambda c: b"".join(request(c.content.count + i) for i in range(100))),
]


def field(c):
    return message(BITFIELD, bytes((c.content.count + 7) // 8))


for id_, what_, said in FRAMES:
    @case(id_, what_, CLOSED)
    def _(c, said=said):
        c.join().raw(said(c)).expect_closed(3)


# Said by a peer whose handshake did not claim the extension they belong to.
UNCLAIMED = [
    ("W15a", "SUGGEST without the fast bit", [EXT_BIT], lambda c: message(SUGGEST, words(0))),
    ("W15b", "HAVE NONE without the fast bit", [EXT_BIT], lambda c: message(HAVE_NONE)),
    ("W15c", "REJECT without the fast bit", [EXT_BIT], lambda c: message(REJECT, words(0, 0, BLOCK))),
    ("W15d", "an extension message without the extension bit", [FAST_BIT], lambda c: message(wire.EXTENDED, b"\0de")),
    ("W15e", "a hash request without the v2 bit", [EXT_BIT, FAST_BIT],
     lambda c: message(HASH_REQUEST, bytes(32) + words(0, 0, 2, 0))),
]
for id_, what_, bits_, said in UNCLAIMED:
    @case(id_, what_, CLOSED)
    def _(c, said=said, bits=bits_):
        c.join(bits=bits).settle(0.1).raw(said(c)).expect_closed(3)


# Odd, and no reason to part: the same connection is served afterwards.
ODD = [
    ("W03e", "a bitfield after HAVE, and again, as aria2 says it", lambda c: message(HAVE, words(0)) + field(c) * 2),
    ("W15f", "messages of 60 kinds that nobody knows", lambda c: b"".join(message(i, b"x" * i) for i in range(24, 84))),
    ("W15g", "REJECT of what was never asked", lambda c: message(REJECT, words(0, 0, BLOCK)) * 8),
    ("W15h", "ALLOWED FAST and SUGGEST of pieces that exist", lambda c: b"".join(
        message(kind, words(i)) for i in range(5) for kind in (ALLOWED_FAST, SUGGEST))),
    ("W06b", "CANCEL of what was never asked", lambda c: message(CANCEL, words(0, 0, BLOCK)) * 8),
    ("W20a", "20 keep-alives", lambda c: bytes(80)),
    ("W19a", "PORT, with port 0 and with another's", lambda c: message(wire.PORT, b"\0\0") + message(wire.PORT, b"\0\x35")),
]
for id_, what_, said in ODD:
    @case(id_, what_, IGNORED)
    def _(c, said=said):
        c.join().raw(said(c)).expect_open(0.2).expect_served(c.content)


# Requests for what cannot be: refused (BEP 6), and nothing is sent.
REQUESTS = [
    ("W06c", "a request of length 0", lambda c: (0, 0, 0)),
    ("W06d", "a request of 16 KiB + 1", lambda c: (0, 0, BLOCK + 1)),
    ("W06e", "a request of 4 GiB - 1", lambda c: (0, 0, U32)),
    ("W06f", "a request whose end wraps around", lambda c: (0, U32 - 100, BLOCK)),
    ("W06g", "a request from behind the piece's end", lambda c: (0, c.content.piece, BLOCK)),
    ("W06h", "a request across the piece's end", lambda c: (0, c.content.piece - 100, BLOCK)),
    ("W06i", "a request for a piece that is none", lambda c: (c.content.count, 0, BLOCK)),
    ("W06j", "a request for piece 2^32 - 1", lambda c: (U32, 0, BLOCK)),
]
for id_, what_, ask in REQUESTS:
    @case(id_, what_, REFUSED)
    def _(c, ask=ask):
        p = c.join().unchoked()
        said = words(*ask(c))
        p.raw(message(REQUEST, said))
        answer = []
        p.wait_for(lambda k, b: k in (REJECT, PIECE) and not answer.append((k, b)), 5 * c.patience)
        if answer[0][0] != REJECT or answer[0][1] != said:
            raise Unexpected("it was not refused")
        p.expect_served(c.content)


@case("W06k", "requests while choked", REFUSED)
def _(c):
    p = c.join().settle(0.2)
    if not p.choking:
        raise Unexpected("unchoked without interest")
    asked = [i for i in range(c.content.count) if i not in p.allowed][:5]
    p.raw(b"".join(map(request, asked)))
    p.settle(0.5)
    if p.seen.get(PIECE):
        raise Unexpected("it serves those it chokes")
    if p.seen.get(REJECT, 0) != len(asked):
        raise Unexpected(f"{p.seen.get(REJECT, 0)} of {len(asked)} refused")
    p.expect_served(c.content)


@case("W06l", "requests while choked, by one without the fast extension", IGNORED)
def _(c):
    p = c.join(bits=[EXT_BIT]).raw(b"".join(request(i) for i in range(8))).settle(0.5)
    if p.seen.get(PIECE):
        raise Unexpected("it serves those it chokes")
    p.expect_served(c.content)


@case("W06m", "the same block 300 times", "served")
def _(c):
    p = c.join().unchoked().raw(request(0) * 300)
    p.settle(1.0)
    if not 1 <= p.seen.get(PIECE, 0) <= 300:
        raise Unexpected(f"{p.seen.get(PIECE, 0)} blocks for 300 requests")
    p.expect_served(c.content)
