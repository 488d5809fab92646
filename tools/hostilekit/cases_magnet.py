"""cases_magnet.py - lies to somebody who has a magnet link alone: the dictionary's size, its bytes, and what comes before it."""
import time

import content as contents
import wire
from scene import BANNED, CLOSED, COMPLETES, REFUSED, case
from target import metadata_block
from wire import BITFIELD, BLOCK, EXTENDED, HAVE, HAVE_ALL, OUR_METADATA, UNCHOKE, Unexpected, bencode, extended, message, words

LONG = dict(size=20_000_000, piece=16384)  # its info dictionary takes two metadata blocks


def late(c):
    """The honest one comes when all places are taken."""
    c.honest_seeder(hello=lambda peer: (time.sleep(1), c.seeders[-1].greet(peer)))
    c.get(magnet=True)


def sized(c, k, size, **hooks):
    s = c.seeder(k, **hooks)
    s.metadata_size = size
    return s


SIZES = [("M01c", "0", 0), ("M01d", "-1", -1), ("M01e", "1", 1), ("M01f", "128 MiB", 128 << 20), ("M01g", "2^31 - 1", (1 << 31) - 1),
         ("M01h", "2^62", 1 << 62)]
for id_, text, size_ in SIZES:
    @case(id_, f"a metadata size of {text}", COMPLETES, role="get")
    def _(c, size=size_):
        sized(c, 0, size)
        late(c)
        c.complete(40)


@case("M01i", "metadata of 100 MiB, all of it sent", COMPLETES, role="get", memory=64)
def _(c):
    block = b"\xee" * BLOCK
    s = sized(c, 0, 100 << 20, metadata=lambda i, d: block)
    c.get("--memory", "32M", magnet=True)
    c.until(lambda: s.greetings > 0, 10, "it comes")
    time.sleep(3)
    c.program.stop()
    honest_too_after(c)


def honest_too_after(c):
    """The same folder and state again, with the liar and an honest seed."""
    c.honest_seeder()
    c.get("--memory", "64M", magnet=True)
    c.complete(60)


@case("M02a", "forty peers each say another size", COMPLETES, role="get")
def _(c):
    for k in range(40):
        sized(c, k, 20_000 + k, metadata=lambda i, d: None)
    late(c)
    c.complete(30)


@case("M02b", "one peer says another size nine times", COMPLETES, role="get")
def _(c):
    def hello(peer):
        for i in range(9):
            said = {"m": {"ut_metadata": OUR_METADATA}, "metadata_size": 30_000 + i}
            peer.raw(extended(0, bencode(said)))
            time.sleep(0.05)
        peer.raw(message(HAVE_ALL))
    for k in range(12):
        c.seeder(k, hello=hello, metadata=lambda i, d: None)
    late(c)
    c.complete(15)


@case("M03a", "false metadata, alone", BANNED, role="get")
def _(c):
    c.seeder(metadata=lambda i, d: b"\xee" * len(d))
    c.get(magnet=True)
    c.banned(within=10)


@case("M03b", "false metadata first, then silence", COMPLETES, role="get", **LONG)
def _(c):
    told = []
    def metadata(i, data):
        told.append(i)
        return b"\xee" * len(data) if len(told) <= 2 else None
    for k in range(3):
        c.seeder(k, metadata=metadata)
    late(c)
    c.complete(60)


@case("M03c", "false metadata, pushed without being asked, for ever", COMPLETES, role="get", **LONG)
def _(c):
    def busy(peer):
        if "ut_metadata" in peer.ext and not c.program.last("metadata"):
            peer.raw(metadata_block(peer, 0, len(c.content.info), b"\xee" * BLOCK) * 5)
    c.seeder(busy=busy, metadata=lambda i, d: None)
    c.honest_seeder(metadata=lambda i, d: (time.sleep(0.3), d)[1])
    c.get(magnet=True)
    if not c.program.wait("metadata", 30):
        raise Unexpected("no metadata after 30 s")
    c.complete(40)


@case("M03d", "one of four metadata blocks false, from each of three; one honest", COMPLETES, role="get", **LONG)
def _(c):
    for k in range(3):
        c.seeder(k, metadata=lambda i, d: b"\xee" * len(d) if i == 0 else d)
    late(c)
    c.complete(60)


@case("M05a", "never answers for metadata", COMPLETES, role="get")
def _(c):
    for k in range(6):
        c.seeder(k, metadata=lambda i, d: None)
    late(c)
    c.complete(40)


@case("M05b", "rejects every metadata request", COMPLETES, role="get")
def _(c):
    for k in range(6):
        c.seeder(k, metadata=lambda i, d: [extended(2, bencode({"msg_type": 2, "piece": i}))])
    late(c)
    c.complete(40)


def refuse_all(c, k, metadata):
    s = c.seeder(k, metadata=metadata)
    c.get(magnet=True)
    c.until(lambda: s.left > 0, 10, "it is let go")


@case("M06h", "a metadata block a byte too long", CLOSED, role="get")
def _(c):
    refuse_all(c, 0, lambda i, d: d + b"x")


@case("M06i", "an empty metadata block", CLOSED, role="get")
def _(c):
    refuse_all(c, 0, lambda i, d: b"")


@case("M06j", "a metadata block of 100 KB", CLOSED, role="get")
def _(c):
    refuse_all(c, 0, lambda i, d: d + bytes(100_000))


@case("M06k", "metadata whose head is no bencoding", CLOSED, role="get")
def _(c):
    refuse_all(c, 0, lambda i, d: [message(EXTENDED, b"\x02" + b"\xff" * 50 + d)])


@case("M06l", "a metadata block for another index", COMPLETES, role="get")
def _(c):
    c.seeder(metadata=lambda i, d: [metadata_block(c.seeders[0].live[-1], i + 7, len(c.content.info), d)])
    late(c)
    c.complete(40)


@case("M06m", "a total_size that changes", COMPLETES, role="get")
def _(c):
    c.seeder(metadata=lambda i, d: [metadata_block(c.seeders[0].live[-1], i, 1 << 40, d)])
    c.get(magnet=True)
    c.complete(30)


# ---- before the metadata is here ----

EARLY = [
    ("W03h", "a bitfield of 200 KB, and the metadata comes", lambda c: message(BITFIELD, b"\xff" * 200_000)),
    ("W03i", "a bitfield two bits too long", lambda c: message(BITFIELD, b"\xff" * ((c.content.count + 7) // 8) + b"\xc0")),
    ("W04d", "HAVE of piece 2^21 - 1, and the metadata comes", lambda c: message(HAVE, words((1 << 21) - 1))),
]
for id_, what_, said in EARLY:
    @case(id_, f"before the metadata: {what_}", CLOSED, role="get")
    def _(c, said=said):
        def hello(peer):
            ext = {"m": {"ut_metadata": OUR_METADATA}, "metadata_size": len(c.content.info)}
            peer.raw(extended(0, bencode(ext)) + said(c))
        s = c.seeder(hello=hello)
        c.get(magnet=True)
        c.until(lambda: s.left > 0, 10, "it is let go")


NOW = [
    ("W04e", "HAVE of piece 2^31", lambda c: message(HAVE, words(1 << 31))),
    ("W03j", "a bitfield of 1 MiB", lambda c: b"\0\x10\0\x01\x05" + bytes(8192)),
    ("W04f", "HAVE of 5,000 pieces", lambda c: b"".join(message(HAVE, words(i)) for i in range(5000))),
    ("W03k", "two bitfields", lambda c: message(BITFIELD, b"\0") * 2),
]
for id_, what_, said in NOW:
    @case(id_, f"before the metadata: {what_}", CLOSED, role="get")
    def _(c, said=said):
        s = c.seeder(hello=lambda peer: peer.raw(said(c)))
        c.get(magnet=True)
        c.until(lambda: s.left > 0, 10, "it is let go")


@case("W06r", "before the metadata: 100 requests", CLOSED, role="get")
def _(c):
    s = c.seeder(hello=lambda peer: peer.raw(wire.request(0) * 100))
    c.get(magnet=True)
    c.until(lambda: s.left > 0, 10, "it is let go")


# ---- the hash is right, and what it names is hostile ----

def named(info):
    made = contents.Content("v1", b"x" * 100, 16384)
    made.info = bencode(info)
    made.torrent = bencode({"info": info})
    made._hashes()
    return made


HOSTILE = [
    ("M10a", "piece length 0", {"name": "n", "piece length": 0, "length": 100, "pieces": bytes(20)}),
    ("M10b", "a length of 2^62", {"name": "n", "piece length": 16384, "length": 1 << 62, "pieces": bytes(20)}),
    ("M10c", "a length below zero", {"name": "n", "piece length": 16384, "length": -1, "pieces": bytes(20)}),
    ("M10d", "19 bytes of hashes", {"name": "n", "piece length": 16384, "length": 100, "pieces": bytes(19)}),
    ("M10e", "no name, no length, no pieces", {}),
]
for id_, what_, info_ in HOSTILE:
    @case(id_, f"metadata with the right hash and {what_}", REFUSED, role="get", form="v1")
    def _(c, info=info_):
        c.content = named(info)
        c.seeder()
        c.get(magnet=True)
        c.program.wait("error", 10)
        code = c.program.process.wait(10) if c.program.last("error") else None
        if code != 3:
            raise Unexpected(f"exit code {code} where 3 (a bad torrent) was due")


@case("P01a", "metadata with the right hash and the name ../../evil", COMPLETES, role="get", form="v1")
def _(c):
    import os
    data = c.content.data
    c.content = contents.Content("v1", data, 1 << 16, "../../evil")
    c.seeder()
    folder = os.path.join(c.start.work, "source")
    os.makedirs(folder, exist_ok=True)
    c.program = c.start.get(c.content.magnet(), [(s.address, 7000) for s in c.seeders])
    c.pid = c.program.pid
    c.complete(30)
    outside = [os.path.join(c.start.work, n) for n in ("evil", "../evil", "copy/../evil")]
    if any(os.path.exists(p) for p in outside):
        raise Unexpected("a file outside the folder")
    kept = [os.path.join(w, f) for w, _, fs in os.walk(os.path.join(c.start.work, "copy")) for f in fs]
    if len(kept) != 1 or open(kept[0], "rb").read() != data:
        raise Unexpected("the file is not there under any name")
    os.rename(kept[0], os.path.join(c.start.work, "copy", "content"))
    c.content.name = "content"
