"""cases_hints.py - sh_leaves (our own; proto/leaf_hints.h): to a seed, bad questions; to a leech with a spoilt piece, hints that lie."""
import threading
import time

from scene import BOUNDED, CLOSED, COMPLETES, SERVED, case
from wire import BLOCK, EXTENDED, OUR_LEAVES, U32, Unexpected, extended, words

ASK, TELL, NONE = b"\1\1", b"\2\1", b"\3\1"


def joined(c):
    """A peer that speaks it, and the number the target takes it under."""
    p = c.join_ext(m={"sh_leaves": OUR_LEAVES})
    if "sh_leaves" not in p.ext:
        raise Unexpected("it has no sh_leaves")
    return p, p.ext["sh_leaves"]


def heard(p, kind, within=5):
    return p.wait_for(lambda k, b: k == EXTENDED and b[0] == OUR_LEAVES and b[1:3] == kind, within)[3:]


@case("H01a", "asks for leaves: of a piece there is, of one there is not, and of later versions", SERVED, form="v1", only_ours=True)
def _(c):
    p, n = joined(c)
    p.raw(extended(n, ASK + words(1)))
    if heard(p, TELL) != words(1) + b"".join(c.content.digests(1)):
        raise Unexpected("the leaves it tells are not those of the piece")
    p.raw(extended(n, ASK + words(U32)))
    if heard(p, NONE) != words(U32):
        raise Unexpected("another piece is refused")
    p.raw(extended(n, b"\1\2" + words(1)) + extended(n, b"\7\1")).expect_open(0.2).expect_served(c.content)


BROKEN = [("H01b", "a question that is cut", ASK + b"\0\0\0"), ("H01c", "a question with more behind it", ASK + bytes(5)),
          ("H01d", "half a digest", TELL + words(1) + bytes(16)), ("H01e", "no digest at all", TELL + words(1)),
          ("H01f", "more digests than a piece may have blocks", TELL + words(1) + bytes(32 * 4097))]
for id_, what_, body_ in BROKEN:
    @case(id_, f"sh_leaves: {what_}", CLOSED, form="v1", only_ours=True)
    def _(c, body=body_):
        p, n = joined(c)
        p.raw(extended(n, body)).expect_closed(3)


@case("H01g", "asks for leaves without end, one after the other: its share is told", BOUNDED, form="v1", memory=96, only_ours=True,
      size=33_000_000, piece=1 << 25)
def _(c):
    p, n = joined(c)
    told, end = 0, time.monotonic() + 6
    for _ in range(400):
        p.raw(extended(n, ASK + words(0)))
        body = p.wait_for(lambda k, b: k == EXTENDED and b[0] == OUR_LEAVES and b[1:3] in (TELL, NONE), 5 * c.patience)
        told += body[1:3] == TELL
        if time.monotonic() > end:
            break
    # Each reads and hashes 32 MiB: a GiB at once, and 4 GiB a minute.
    if not 1 <= told <= 50:
        raise Unexpected(f"{told} pieces read and hashed for one peer in 6 s")


@case("H01h", "asks for leaves without end, and reads nothing", CLOSED, form="v1", memory=48, only_ours=True)
def _(c):
    p, n = joined(c)
    for _ in range(40):
        p.raw(extended(n, ASK + words(0)) * 500)
    p.expect_closed(5)


@case("H01i", "tells leaves that nobody asked for, without end", CLOSED, form="v1", memory=48, only_ours=True)
def _(c):
    p, n = joined(c)
    p.flood(extended(n, TELL + words(0) + bytes(128)) * 200, 6 * c.patience)
    p.expect_closed(1)


def spoil(data):
    return data[:-1] + bytes([data[-1] ^ 1])


class Meeting:
    """What others of a case wait for: ten seconds, once, since as a node of a swarm a case has no others."""

    def __init__(self, c):
        self.event, self.within = threading.Event(), 10 * c.patience

    def come(self):
        self.event.set()

    def wait(self):
        self.event.wait(self.within)
        self.event.set()


# A piece has failed, and the one who is asked what its blocks are says this.
HINTS = [
    ("H02a", "the leaves of no piece at all", lambda false, truth: [bytes(32)] * len(truth)),
    ("H02b", "leaves of which all but the false one are wrong", lambda false, truth: [truth[0]] + [bytes(32)] * (len(truth) - 1)),
    ("H02c", "one leaf too few", lambda false, truth: truth[:-1]),
    ("H02d", "that every block is as it should be", lambda false, truth: [false] + truth[1:]),
    ("H02e", "nothing", lambda false, truth: None),
    ("H02g", "that the false block is right, and no other is", lambda false, truth: [false] + [bytes(32)] * (len(truth) - 1)),
]
for id_, what_, hint_ in HINTS:
    @case(id_, f"a polluter beside one who is asked for the leaves, and says {what_}", COMPLETES, role="get", form="v1",
          size=4_000_000, piece=1 << 18, only_ours=True)
    def _(c, hint=hint_):
        there, lied = Meeting(c), Meeting(c)

        def lies(piece, begin, data):  # not before the other is there to be asked about it
            there.wait()
            if begin != 0:
                return data
            lied.come()
            return spoil(data)

        def waits(piece, begin, data):  # else all could be fetched before there is anything to ask about
            lied.wait()
            return data

        def comes(piece, begin, data):
            there.come()
            return waits(piece, begin, data)
        c.seeder(0, block=lies, delay=0.01)
        c.seeder(1, block=comes, delay=0.01, hint=lambda piece, truth: hint(c.content.false_digest(piece), truth))
        c.honest_seeder(block=waits, delay=0.01)
        c.get()
        c.complete(60)
        c.not_banned(1)
        if not c.seeders[1].hint_asked:
            raise Unexpected("the liar was never asked: nothing was tried")


@case("H02f", "one false block in all, and somebody who knows which", COMPLETES, role="get", form="v1", size=4_000_000, piece=1 << 18,
      only_ours=True)
def _(c):
    """The hint is heeded: what was not false is not fetched again."""
    spoilt, before = [], []
    there, lied = Meeting(c), Meeting(c)

    def once(piece, begin, data):  # not before there is somebody who knows
        there.wait()
        if spoilt or begin != BLOCK:
            return data
        spoilt.append(piece)
        lied.come()
        return spoil(data)

    def comes(piece, begin, data):
        there.come()
        lied.wait()
        return data

    def knows(piece, truth):
        before.append(len(honest.asked))
        return truth
    c.seeder(0, block=once)
    honest = c.honest_seeder(0, block=comes, delay=0.01, hint=knows)
    c.get()
    c.complete(60)
    if honest.hint_asked != spoilt:
        raise Unexpected(f"piece {spoilt} was spoilt, and asked about is {honest.hint_asked}")
    again = sum(piece == spoilt[0] for piece, _, _ in honest.asked[before[0]:])
    if again > 4:
        raise Unexpected(f"{again} blocks of it are asked for then, and one was false")
