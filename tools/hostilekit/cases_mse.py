"""cases_mse.py - encrypted handshakes that are none: keys, pads, methods, torrents, floods (E01-E08)."""
import select
import socket
import threading
import time

import mse
import wire
from scene import BOUNDED, CLOSED, SERVED, case
from target import PORT
from wire import Closed, Unexpected


def keys(c, pad=b"", skey=None):
    """A connection on which both have sent their keys."""
    p, hand = c.dial(), mse.Hand()
    p.raw(hand.public + pad)
    theirs = p.take(mse.KEY, time.monotonic() + 10 * c.patience)
    if theirs is None:
        raise Unexpected("no key comes back")
    hand.agree(theirs, skey or c.content.hash, True)
    return p, hand


def answered(c, p, hand):
    """Reads the answer: the method it chose; what comes after that is the payload's."""
    end, mark = time.monotonic() + 10 * c.patience, hand.into.xor(bytes(8))
    seen = b""
    while not seen.endswith(mark):
        byte = p.take(1, end)
        if byte is None or len(seen) > 512 + 8:
            raise Unexpected("no answer to a good handshake")
        seen += byte
    head = hand.into.xor(p.take(6, end))
    hand.into.xor(p.take(int.from_bytes(head[4:], "big"), end))
    return int.from_bytes(head[:4], "big")


def served(c, p, hand, method=1):
    """The stream goes on, here as it is, and true bytes come."""
    if answered(c, p, hand) != method:
        raise Unexpected("it chose another method than the one offered")
    p.read_handshake().expect_served(c.content)


@case("E01a", "first payloads of 0 to 63,110 bytes, whole and in pieces", SERVED)
def _(c):
    hello = c.hello()
    for k, (size, chunk) in enumerate(((0, 0), (1, 0), (20, 7), (67, 0), (68, 1), (72, 0), (63110, 1000))):
        p, hand = keys(c)
        strange = wire.extended(200, bytes(9000))
        text = hello + strange * 7
        said = hand.named(c.content.hash) + hand.offer(1, payload=text[:size], pad=k)
        said += text[size:68] if size <= 68 else text[size:size + -(size - 68) % len(strange)]
        for at in range(0, len(said), chunk or len(said)):
            p.raw(said[at:at + (chunk or len(said))])
        try:
            served(c, p, hand)
        except (Closed, Unexpected) as e:
            raise Unexpected(f"{size} bytes: {e}") from None
        p.close()


@case("E02a", "600 bytes behind the key, and none of them what must follow", CLOSED)
def _(c):
    p, hand = keys(c)
    p.raw(bytes(600)).expect_closed(3)


@case("E02b", "pads of 513 and of 65,535 bytes", CLOSED)
def _(c):
    for size in (513, 65535):
        p, hand = keys(c)
        p.raw(hand.named(c.content.hash) + hand.offer(1, pad=size, payload=c.hello())).expect_closed(3)


@case("E02c", "eight bytes that are no zeros where zeros must be", CLOSED)
def _(c):
    for vc in (b"\1" + bytes(7), bytes(7) + b"\x80", b"\xff" * 8):
        p, hand = keys(c)
        p.raw(hand.named(c.content.hash) + hand.offer(1, vc=vc, payload=c.hello())).expect_closed(3)


@case("E03a", "keys 0, 1, p - 1, p, p + 1, and the largest: secrets that anybody knows", CLOSED)
def _(c):
    for number in (0, 1, mse.PRIME - 1, mse.PRIME, mse.PRIME + 1, (1 << 768) - 1):
        p = c.dial().raw(number.to_bytes(mse.KEY, "big"))
        try:
            if p.take(1, time.monotonic() + 3) is not None:
                raise Unexpected("it gives a key for that one")
            raise Unexpected("the connection is still open after 3 s")
        except Closed:
            pass


def agreed(c, count, source):
    """So many connections, a key on each: how many get one back, and in how many seconds."""
    public, began, socks = mse.Hand().public, time.monotonic(), []
    for k in range(count):
        s = socket.create_connection(c.target, 10, (source(k), 0))
        s.sendall(public)
        socks.append(s)
    got, end, poll, left = 0, time.monotonic() + 2 * c.patience, select.poll(), {s.fileno(): s for s in socks}
    for fd in left:
        poll.register(fd, select.POLLIN)
    while left and time.monotonic() < end:
        for fd, _ in poll.poll(200):
            try:
                got += bool(left[fd].recv(2048))
            except OSError:
                pass
            poll.unregister(fd)
            left.pop(fd)
    for s in socks:
        s.close()
    return got, time.monotonic() - began


@case("E04a", "450 keys at once, from as many places: 100 agreements at once, 100 a second", BOUNDED)
def _(c):
    got, took = agreed(c, 450, c.source)
    if got > 100 + 100 * (took + 0.5) or got == 0:
        raise Unexpected(f"{got} agreements in {took:.1f} s")
    c.honest(within=7)


@case("E04b", "30 keys of one host, each on a connection of its own: five agreements a second", BOUNDED, net=11)
def _(c):
    got, began = 0, time.monotonic()
    for _ in range(30):
        p = c.dial()
        p.raw(mse.Hand().public)
        try:
            got += p.take(1, time.monotonic() + 3) is not None
        except Closed:
            pass
        p.close()
    took = time.monotonic() - began
    if got > 5 * (took + 1) or got == 0:
        raise Unexpected(f"{got} agreements in {took:.1f} s")
    c.honest(within=7)


@case("E05a", "a torrent that it does not have", CLOSED)
def _(c):
    p, hand = keys(c)
    p.raw(hand.named(b"\x5a" * 20) + hand.offer(1, payload=c.hello())).expect_closed(3)


@case("E06a", "no method offered, and none that anybody knows", CLOSED)
def _(c):
    for methods in (0, 4, 0xfffffffc):
        p, hand = keys(c)
        p.raw(hand.named(c.content.hash) + hand.offer(methods, payload=c.hello())).expect_closed(3)


@case("E06b", "who was dialled chooses methods that were not offered: 0, 1, 3, 4", CLOSED, role="get")
def _(c):
    """The target takes RC4 alone."""
    methods, closed, listeners = (0, 1, 3, 4), {}, []

    def run(listener, method):
        p, hand = wire.Peer(listener.accept()[0]), mse.Hand()
        try:
            theirs = p.take(mse.KEY, time.monotonic() + 10)
            hand.agree(theirs, c.content.hash, False)
            p.raw(hand.public + hand.out.xor(bytes(8) + method.to_bytes(4, "big") + bytes(2)))
            p.expect_closed(3)
            closed[method] = True
        except (Closed, Unexpected, TypeError):
            closed[method] = False
        p.close()

    for k, method in enumerate(methods):
        listeners.append(socket.create_server((c.source(k), PORT)))
        threading.Thread(target=run, args=(listeners[-1], method), daemon=True).start()
    c.get("--encryption", "require", peers=[(c.source(k), PORT) for k in range(len(methods))])
    c.until(lambda: len(closed) == len(methods), 15, "it dials all of them")
    for listener in listeners:
        listener.close()
    if not all(closed.values()):
        raise Unexpected(f"it goes on: {closed}")


@case("E06c", "a plain stream, where encryption is required", CLOSED, role="get")
def _(c):
    s = c.honest_seeder()
    c.get("--encryption", "require")
    c.until(lambda: c.program.last("started"), 10, "it starts")
    c.dial().raw(c.hello()).expect_closed(3)
    if s.greetings:
        raise Unexpected("it takes a plain stream from whom it dials")


@case("E08a", "a whole handshake, byte by byte, with the longest pads", SERVED)
def _(c):
    p, hand = keys(c, pad=bytes(512))
    for b in hand.named(c.content.hash) + hand.offer(1, pad=512, payload=c.hello()):
        p.raw(bytes([b]))
        time.sleep(0.0005)
    served(c, p, hand)
