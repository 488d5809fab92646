"""cases_web.py - trackers and web seeds that lie, never end, send us elsewhere, or name victims (T01-T19).

The target fetches. Its torrent names them, so that they are strangers' words; they live on the open network.
"""
import gzip
import socket
import time

from krpc import compact
from scene import BANNED, BOUNDED, COMPLETES, IGNORED, case
from servers import Http, Udp, announced, connected
from target import PORT, Seeder
from wire import Unexpected, bencode

PEERS = {"interval": 1800, "peers": b""}


def tracker(c, answer, k=0, port=8000):
    return c.also(Http(c.start.hostile(k), port, answer))


def trap(c, k=5, address=None):
    """Somebody who must not be dialled; gives its compact address."""
    s = c.also(Seeder(c.content, address or c.start.hostile(k)))
    c.traps.append(s)
    return compact((s.address, PORT))


def fetched(c, *urls, seeds=(), within=30, delay=0.03):
    """An honest seeder is told; the torrent names trackers (a tier each) and web seeds. It completes; no trap was dialled."""
    c.honest_seeder(delay=delay)
    c.get(tiers=urls, seeds=seeds)
    c.complete(within)
    if any(s.greetings or s.live for s in c.traps):
        raise Unexpected("it dialled somebody it should not have")


def quiet(c, server, what="it was asked"):
    if server.connects:
        raise Unexpected(what)


# ---- where they live ----

@case("T01a", "HTTP trackers on this host and beside it, in every spelling", IGNORED, role="get", net=11)
def _(c):
    s = c.also(Http("0.0.0.0", 0, lambda q: q.body(bencode(PEERS))))
    p = s.place[1]
    fetched(c, *[f"http://{host}:{p}/announce" for host in
                 ("127.0.0.1", "localhost", "localhost.", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1.2.3", "2130706433", "0x7f.1",
                  "0177.0.0.1", "127.1")])
    quiet(c, s)


@case("T01b", "UDP trackers on this host", IGNORED, role="get", net=11)
def _(c):
    s = c.also(Udp(f"127.9.8.{c.start.low}", 8000, lambda *a: ()))
    fetched(c, s.url())
    if s.asked:
        raise Unexpected("it was asked")


@case("T01c", "a web seed on this host", IGNORED, role="get", net=11)
def _(c):
    s = c.also(Http(f"127.9.8.{c.start.low}", 8000, lambda q: q.head(404)))
    fetched(c, seeds=[s.url("/content")])
    quiet(c, s)


@case("T03a", "a tracker out there sends us to one in here", IGNORED, role="get", net=11)
def _(c):
    inside = c.also(Http(f"127.9.8.{c.start.low}", 8000, lambda q: q.body(bencode(PEERS))))
    s = tracker(c, lambda q: q.head(302, Location=inside.url()))
    fetched(c, s.url())
    quiet(c, inside)
    if not s.questions:
        raise Unexpected("nobody was asked")


@case("T03b", "a tracker sends us in circles", BOUNDED, role="get", net=11)
def _(c):
    s = tracker(c, lambda q: q.head(302, Location=f"/announce?{len(s.questions)}"))
    fetched(c, s.url(), delay=0.06)
    if not 1 <= len(s.questions) <= 12:  # a hybrid asks for both its hashes, each question with four hops
        raise Unexpected(f"it went {len(s.questions)} times")


@case("T03c", "a web seed out there sends us to one in here", IGNORED, role="get", net=11)
def _(c):
    inside = c.also(Http(f"127.9.8.{c.start.low}", 8000, lambda q: q.head(404)))
    s = tracker(c, lambda q: q.head(302, Location=inside.url("/content")))
    fetched(c, seeds=[s.url("/content")])
    quiet(c, inside)


@case("T04a", "a tracker's URL that speaks for us (info_hash=, left=0, event=)", IGNORED, role="get", net=11)
def _(c):
    s = tracker(c, lambda q: q.body(bencode(PEERS)))
    fetched(c, *[s.url("/announce?" + words) for words in ("info_hash=%5a", "a=b&left=0", "event=stopped", "x=1;peer_id=2", "%70ort=25")])
    quiet(c, s)


# ---- how long, and how much ----

def endless(q, head, chunk, most=64 << 20):
    q.send(head)
    while q.server.sent < most and q.send(chunk):
        pass


@case("T06a", "a tracker's answer without end", BOUNDED, role="get", net=11)
def _(c):
    s = tracker(c, lambda q: endless(q, b"HTTP/1.1 200 X\r\n\r\nd", b"1:a65536:" + bytes(65536)))
    fetched(c, s.url(), delay=0.05)
    if s.sent > 16 << 20:
        raise Unexpected(f"it took {s.sent >> 20} MiB")


@case("T06b", "headers without end", BOUNDED, role="get", net=11)
def _(c):
    s = tracker(c, lambda q: endless(q, b"HTTP/1.1 200 X\r\n", b"A: " + b"b" * 8000 + b"\r\n"))
    fetched(c, s.url(), delay=0.05)
    if s.sent > 16 << 20 or len(s.questions) > 4:  # both hashes of a hybrid, and once more
        raise Unexpected(f"it took {s.sent >> 20} MiB, asked for {len(s.questions)} times")


@case("T06c", "a tracker's answer of a byte each second: it is let go of within half a minute", BOUNDED, role="get", net=11, slow=35)
def _(c):
    spent = []

    def slow(q):
        began = time.monotonic()
        q.send(b"HTTP/1.1 200 X\r\n\r\nd8:interval")
        while time.monotonic() - began < 60 and q.send(b"1"):
            time.sleep(1)
        spent.append(time.monotonic() - began)
    s = tracker(c, slow)
    c.get(tiers=[s.url()])
    c.until(lambda: spent, 33 / c.patience, "it is let go of")


@case("T06d", "answers of 64 MiB of zeros, packed", BOUNDED, role="get", net=11)
def _(c):
    bomb = gzip.compress(b"d5:peers67108864:" + bytes(64 << 20) + b"e", 6)
    s = tracker(c, lambda q: q.body(bomb, Content_Encoding="gzip"))
    fetched(c, s.url())


@case("T08a", "a tracker wants to be asked again after one second, and after -1", BOUNDED, role="get", net=11, slow=5)
def _(c):
    s = tracker(c, lambda q: q.body(bencode({"interval": 1, "min interval": -1, "peers": b""})))
    c.get(tiers=[s.url()])
    time.sleep(5)
    if not 1 <= len(s.questions) <= 4:  # both hashes of a hybrid
        raise Unexpected(f"it asked {len(s.questions)} times in 5 s")


BODIES = [b"", b"d", b"d8:intervali1800e5:peers", b"le", b"i1e", b"d8:intervali1800e5:peers6:", b"l" * 4000, b"d5:peersd" * 500,
          b"d8:intervali99999999999999999999e5:peers0:e", b"<html>", b"\xff" * 1000, b"d5:peersl" + b"d2:ip4:\0\0\0\0e" * 100 + b"ee"]


@case("T11a", "answers that are no dictionaries, cut, deep, of numbers out of range", COMPLETES, role="get", net=11)
def _(c):
    s = tracker(c, lambda q: q.body(BODIES[int(q.path.split("?")[0].rsplit("/", 1)[1])]))
    fetched(c, *[s.url(f"/{k}") for k in range(len(BODIES))], delay=0.05)
    if not s.questions:
        raise Unexpected("nobody was asked")


@case("T11b", "a list of peers that is a byte too long", COMPLETES, role="get", net=11)
def _(c):
    at = trap(c)
    s = tracker(c, lambda q: q.body(bencode({"interval": 1800, "peers": at + b"x"})))
    fetched(c, s.url())


@case("T11c", "no web server's dictionary is a tracker's", COMPLETES, role="get", net=11)
def _(c):
    s = tracker(c, lambda q: q.body(b"d5:hello5:worlde"))
    fetched(c, s.url())
    c.told("tracker", lambda e: e["error"] is not None)


# ---- what it says of them ----

@case("T14a", "a tracker whose reason has colours, a title for the terminal, and lines of a log", COMPLETES, role="get", net=11)
def _(c):
    words = b"no\r\n\x1b]0;owned\x07\x1b[31m\x9b2J\nshoal: all is well\xff\xe2\x80\xae"
    s = tracker(c, lambda q: q.body(bencode({"failure reason": words})))
    fetched(c, s.url(), delay=0.05)
    if not s.questions:
        raise Unexpected("nobody was asked")
    for path in (c.program.log, c.program.out):
        with open(path, "rb") as f:
            lines = f.read().split(b"\n")
        if any(set(line) & set(range(32)) or b"\x9b2J" in line or line.startswith(b"shoal: all") for line in lines):
            raise Unexpected("it is said as it came")
    c.told("tracker", lambda e: "all is well" in e.get("what", ""))


@case("T05a", "trackers with a passkey or a password in their URLs: nobody is told of it", IGNORED, role="get", net=11)
def _(c):
    s = tracker(c, lambda q: q.head(500))
    at = "%s:%d" % s.place
    fetched(c, f"http://{at}/s3cret/announce?key=s3cret", f"http://ann:s3cret@{at}/announce", f"udp://ann:s3cret@{at}/announce",
            seeds=[f"http://ann:s3cret@{at}/content"])
    c.told("tracker", lambda e: e["error"])  # the link that is to be shared has them (`started`), and nothing else
    for path in (c.program.log, c.program.out):
        with open(path, "rb") as f:
            lines = [line for line in f.read().split(b"\n") if b"s3cret" in line and b'"started"' not in line]
        if lines:
            raise Unexpected("it tells the secret: " + lines[0].decode(errors="replace"))


# ---- victims ----

@case("T09a", "a tracker names 40 ports of one host: it gets three connections", BOUNDED, role="get", net=11, slow=5)
def _(c):
    at = f"11.99.{c.start.low}.9"
    doors = [socket.create_server((at, 2000 + k)) for k in range(40)]
    s = tracker(c, lambda q: q.body(bencode({"interval": 1800, "peers": b"".join(compact((at, 2000 + k)) for k in range(40))})))
    c.get(tiers=[s.url()])
    count, end = 0, time.monotonic() + 5
    for d in doors:
        d.setblocking(False)
    while time.monotonic() < end:
        for d in doors:
            try:
                d.accept()[0].close()
                count += 1
            except OSError:
                pass
        time.sleep(0.02)
    for d in doors:
        d.close()
    if not 1 <= count <= 6:  # who ends without a word is dialled once more, the hidden way
        raise Unexpected(f"it got {count}")


@case("T09b", "a tracker names ports of services: 25, 53, 80, 443", IGNORED, role="get", net=11)
def _(c):
    at = f"11.99.{c.start.low}.9"
    doors = [c.also(Http(at, port, lambda q: None)) for port in (25, 53, 80, 443)]
    s = tracker(c, lambda q: q.body(bencode({"interval": 1800, "peers": b"".join(compact(d.place) for d in doors)})))
    fetched(c, s.url())
    for d in doors:
        quiet(c, d, f"port {d.place[1]} was dialled")


@case("T10a", "a tracker out there names peers on this host", IGNORED, role="get", net=11)
def _(c):
    at = trap(c, address=f"127.9.9.{c.start.low}")
    s = tracker(c, lambda q: q.body(bencode({"interval": 1800, "peers": at})))
    fetched(c, s.url())


# ---- UDP ----

def udp(c, answer):
    """A UDP tracker in a torrent; whatever it names is a trap."""
    at = trap(c)
    s = c.also(Udp(c.start.hostile(0), 8000, lambda *a: answer(at, *a)))
    fetched(c, s.url(), delay=0.04)
    if not s.asked:
        raise Unexpected("nobody was asked")


@case("T12a", "UDP answers under another transaction number", IGNORED, role="get", net=11)
def _(c):
    def answer(at, action, tid, data):
        if action == 0:
            return [connected(tid)]
        return [announced(tid ^ 1 << bit, at) for bit in range(32)]
    udp(c, answer)


@case("T12b", "UDP answers from another address", IGNORED, role="get", net=11)
def _(c):
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind((c.start.hostile(1), 8000))
    try:
        udp(c, lambda at, action, tid, data: [connected(tid)] if action == 0 else [(announced(tid, at), other)])
    finally:
        other.close()


@case("T12c", "UDP answers to what was not asked: an announce's to a connect", IGNORED, role="get", net=11)
def _(c):
    udp(c, lambda at, action, tid, data: [announced(tid, at), announced(tid, at, action=2)] if action == 0 else [])


@case("T13a", "UDP answers cut at every byte, behind whole ones for somebody else", COMPLETES, role="get", net=11)
def _(c):
    """What lies behind a short packet's end is what came before it."""
    def answer(at, action, tid, data):
        whole = connected(tid) if action == 0 else announced(tid, at)
        for n in range(16 if action == 0 else 20):
            yield announced(tid ^ 1, at * 30)
            time.sleep(0.02)
            yield whole[:n]
        if action == 0:
            yield whole
    udp(c, answer)


# ---- web seeds ----

def web(c, answer):
    """A web seed that lies, beside an honest peer that takes its time. Gives the server."""
    s = tracker(c, answer)
    fetched(c, seeds=[s.url("/content")])
    if not s.questions:
        raise Unexpected("it was not asked")
    return s


def good(q, c, change=lambda b: b, **headers):
    a, b = q.range
    data = change(c.content.data[a:b])
    return q.head(206, **{"Content_Length": len(data), "Content_Range": f"bytes {a}-{b - 1}/{len(c.content.data)}", **headers}) and q.send(data)


@case("T17a", "a web seed of false bytes", BANNED, role="get", net=11)
def _(c):
    s = web(c, lambda q: good(q, c, lambda b: bytes(x ^ 1 for x in b)))
    if s.place[0] not in c.program.banned():
        raise Unexpected("it is not banned")


@case("T17b", "a web seed that stops in the middle, and stays", COMPLETES, role="get", net=11)
def _(c):
    def stall(q):
        a, b = q.range
        q.head(206, Content_Length=b - a, Content_Range=f"bytes {a}-{b - 1}/{len(c.content.data)}")
        q.send(c.content.data[a:a + 20000])
        time.sleep(40)
    s = tracker(c, stall)
    fetched(c, seeds=[s.url("/content")], within=20 / c.patience, delay=0.001)


def once(c, answer, most=2):
    """What it sends is false, and can be told by its headers: no hash is needed for that."""
    s = web(c, answer)
    if len(s.questions) > most:
        raise Unexpected(f"it was asked {len(s.questions)} times")
    if c.program.last("summary")["hash_failures"]:
        raise Unexpected("it took false bytes")
    return s


def false(c, q):
    """As many bytes as asked for, from elsewhere in the file; and where."""
    a, b = q.range
    off = 16384 if a == 0 else -16384
    return a + off, b + off, (c.content.data + bytes(16384))[a + off:b + off]


@case("T18a", "a web seed that sends the whole file, without end, for a range", BOUNDED, role="get", net=11)
def _(c):
    s = once(c, lambda q: endless(q, b"HTTP/1.1 200 X\r\n\r\n", bytes(65536)))
    if s.sent > 8 << 20:
        raise Unexpected(f"it took {s.sent >> 20} MiB")


@case("T18b", "a web seed that sends another range, and says so", BOUNDED, role="get", net=11)
def _(c):
    def answer(q):
        a, b, data = false(c, q)
        q.body(data, 206, Content_Range=f"bytes {a}-{b - 1}/{max(len(c.content.data), b)}")
    once(c, answer)


@case("T18c", "a web seed that does not say which range it sends", BOUNDED, role="get", net=11)
def _(c):
    once(c, lambda q: q.body(false(c, q)[2], 206))


@case("T18d", "a web seed that goes on behind the range", BOUNDED, role="get", net=11)
def _(c):
    def answer(q):
        a, b = q.range
        q.head(206, Content_Range=f"bytes {a}-{b - 1}/{len(c.content.data)}")
        endless(q, c.content.data[a:b], bytes(65536))
    s = web(c, answer)
    if s.sent > 16 << 20:
        raise Unexpected(f"it took {s.sent >> 20} MiB")


@case("T18e", "a web seed whose file is of another size", BOUNDED, role="get", net=11)
def _(c):
    def answer(q):
        a, b = q.range
        q.body(bytes(b - a), 206, Content_Range=f"bytes {a}-{b - 1}/{len(c.content.data) + 1}")
    once(c, answer)


@case("T18f", "a web seed whose every answer ends seven bytes early", COMPLETES, role="get", net=11)
def _(c):
    def answer(q):
        a, b = q.range
        q.head(206, Content_Length=b - a, Content_Range=f"bytes {a}-{b - 1}/{len(c.content.data)}")
        q.send(c.content.data[a:b - 7])
    web(c, answer)
