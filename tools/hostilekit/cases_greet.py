"""cases_greet.py - handshakes, those who are slow, and those who are many (W02, W16, W18, R01)."""
import socket
import time

import wire
from scene import BOUNDED, CLOSED, IGNORED, SERVED, case

from wire import INTERESTED, Unexpected, message, request

NO_HASH = bytes(20)
# What is no handshake may be the beginning of a key (MSE), which is as random as noise: that is found out after a while.
KEY = 14
HANDSHAKES = [
    ("W16a", "protocol name of length 0", lambda c: b"\0" + c.hello()[1:]),
    ("W16b", "protocol name of length 255", lambda c: b"\xff" + c.hello()[1:] + bytes(300)),
    ("W16c", "another protocol's name", lambda c: b"\x13BitTorrent protocoL" + c.hello()[20:]),
    ("W16d", "a torrent the target does not have", lambda c: c.hello(hash=b"\x5a" * 20)),
    ("W16e", "an info hash of zeros", lambda c: wire.handshake(NO_HASH)),
    ("W16f", "an HTTP request", lambda c: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("W16g", "64 KiB of noise", lambda c: b"\xf3" + bytes(range(256)) * 256),
]
for id_, what_, said in HANDSHAKES:
    @case(id_, what_, CLOSED)
    def _(c, said=said, within=KEY if id_ in ("W16a", "W16b", "W16c", "W16f") else 3):
        c.dial().raw(said(c)).expect_closed(within)


@case("W16h", "the handshake once more, as a message", CLOSED)
def _(c):
    c.join().raw(c.hello()).expect_closed(3)


@case("W16i", "the target's own peer id", CLOSED)
def _(c):
    p = c.dial().raw(c.hello()[:48]).read_handshake()
    p.raw(p.hello[48:]).expect_closed(3)


@case("W16j", "two connections with one peer id", CLOSED)
def _(c):
    one = c.join(0, peer_id=b"-HO0001-abcdefabcdef").settle()
    two = c.dial(0).raw(c.hello(b"-HO0001-abcdefabcdef"))
    two.expect_closed(3)
    one.expect_served(c.content)


@case("W16k", "every reserved bit is set", SERVED)
def _(c):
    c.join(bits=[(byte, 0xFF) for byte in range(8)]).settle().expect_served(c.content)


@case("W16l", "a handshake byte by byte in 68 packets", SERVED)
def _(c):
    p = c.dial()
    for b in c.hello():
        p.raw(bytes([b]))
        time.sleep(0.005)
    p.read_handshake().expect_served(c.content)


@case("W16m", "messages of one peer id steal another's place", SERVED, role="get")
def _(c):
    """The thief comes in with the id of an honest peer that the target has dialled; the honest connection stays."""
    # Higher than any of ours: the one dialled by the higher id would stay, if it were the same peer.
    s = c.honest_seeder(peer_id=b"\xff" * 20, delay=0.05)
    c.get()
    c.until(lambda: len(s.asked) > 2, 10, "the target fetches")
    for _ in range(3):
        try:
            c.dial().raw(c.hello(b"\xff" * 20)).expect_closed(2)
        except (OSError, Unexpected):
            break
    c.complete(30)
    if s.greetings != 1:
        raise Unexpected(f"the honest peer had to come back {s.greetings - 1} times")


@case("W16n", "the target is told to dial itself", IGNORED, role="get", slow=4)
def _(c):
    c.get("--timeout", "3", peers=[c.start.target])
    code = c.program.process.wait(20)
    if code != 5:
        raise Unexpected(f"exit code {code} where 5 (nobody is there) was due")
    s = c.honest_seeder(delay=0.02)
    c.get(peers=[c.start.target])
    c.complete(30)
    if s.greetings != 1:
        raise Unexpected("the honest peer was dialled again")


# ---- slow ----

@case("W02a", "connects and says nothing", CLOSED, slow=12)
def _(c):
    c.dial().expect_closed(14 * c.patience)


@case("W02b", "half a handshake, and no more", CLOSED, slow=12)
def _(c):
    c.dial().raw(c.hello()[:60]).expect_closed(14 * c.patience)


@case("W02c", "a handshake of a byte each second", CLOSED, slow=12)
def _(c):
    p, end = c.dial(), time.monotonic() + 14 * c.patience
    for b in c.hello()[:60]:
        p.raw(bytes([b]))
        try:
            return p.expect_closed(1)
        except Unexpected:
            if time.monotonic() > end:
                raise


@case("W02d", "half a message, and no more", CLOSED, slow=63)
def _(c):
    c.join().raw(b"\0\0\0\x05\x04\0").expect_closed(66 * c.patience)


@case("W02e", "a message of a byte each two seconds", CLOSED, slow=63)
def _(c):
    p, end = c.join().raw(b"\0\0\x40\0\x14"), time.monotonic() + 66 * c.patience
    while time.monotonic() < end:
        p.raw(b"\0")
        try:
            return p.expect_closed(2)
        except Unexpected:
            pass
    raise Unexpected("it is still waiting for the message's end")


@case("R11a", "asks for all it can and reads nothing, but stays alive", CLOSED, slow=65)
def _(c):
    p = c.join().unchoked()
    p.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    blocks = list(c.content.blocks())
    p.raw(b"".join(request(*blocks[i % len(blocks)]) for i in range(1500)))
    for _ in range(int(75 * c.patience)):
        time.sleep(1)
        p.sock.settimeout(1)
        try:
            p.sock.sendall(bytes(4))
        except (BrokenPipeError, ConnectionResetError):
            return
        except OSError:
            pass
    # Its end may wait behind what was never read.
    c.until(lambda: _gone(p), 3, "the reader that never reads is let go")


def _gone(p):
    try:
        while p.sock.recv(1 << 16):
            pass
        return True
    except ConnectionResetError:
        return True
    except OSError:
        return False


# ---- many ----

@case("W18a", "500 connections that have said hello and then idle; an honest peer comes", BOUNDED)
def _(c):
    crowd(c, 500, lambda p: p.raw(c.hello()))
    c.honest(within=7)


@case("W18b", "500 connections that say nothing; an honest peer comes", BOUNDED)
def _(c):
    crowd(c, 500, lambda p: None)
    c.honest(within=7 / c.patience)  # sooner than those time out


@case("W18c", "2,000 connections opened and reset", BOUNDED)
def _(c):
    before = c.fds()
    for i in range(2000):
        try:
            p = wire.Peer.dial(c.target, c.source(i % 5))
            if i % 2:
                p.raw(c.hello())
            p.close(reset=True)
        except OSError:
            time.sleep(0.01)
    c.honest(within=10)
    if before is not None:
        c.until(lambda: (c.fds() or 0) <= before + 16, 5, "the descriptors are given back")


@case("R01a", "400 connections against a target that may open 96 files", BOUNDED)
def _(c):
    if c.start:
        c.program.stop()
        c.program = c.start.seed(c.content, fds=96)
        c.pid = c.program.pid
    crowd(c, 400, lambda p: None, fail=True)
    c.honest(within=7 / c.patience)


def crowd(c, count, then, fail=False):
    """`count` connections from many addresses, each `then`."""
    for i in range(count):
        try:
            p = c.dial(i % 400)
            then(p)
        except OSError:
            if not fail:
                raise
    time.sleep(0.3)


@case("W18d", "a peer joins, is served and leaves, 400 times", BOUNDED)
def _(c):
    before = c.memory()
    for i in range(400):
        p = c.join(i % 3)
        p.raw(message(INTERESTED) + request(0))
        p.close(reset=i % 2 == 0)
    c.honest(within=10)
    if before is not None and c.judge_memory and c.memory() - before > 1:
        raise Unexpected(f"its memory has grown by {c.memory() - before:.1f} MiB")
