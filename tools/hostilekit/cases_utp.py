"""cases_utp.py - datagrams that mean no good: uTP headers, floods, forged resets and acks, early packets (U01-U05, U07, U12)."""
import random
import socket
import struct
import time

import wire
from scene import BOUNDED, CLOSED, IGNORED, SERVED, case
from wire import INTERESTED, UNCHOKE, Unexpected, message, request

DATA, FIN, STATE, RESET, SYN = range(5)
HEAD = struct.Struct(">BBHIIIHH")


def head(kind, id_, seq, ack, window=1 << 20, ext=0, version=1):
    return HEAD.pack(kind << 4 | version, ext, id_ & 0xffff, int(time.monotonic() * 1e6) & 0xffffffff, 0, window, seq & 0xffff,
                     ack & 0xffff)


class Utp:
    """A socket that speaks uTP by hand; `sent` and `heard` are bytes."""

    def __init__(self, c, k=0):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if c.source(k):
            self.s.bind((c.source(k), 0))
        self.c, self.target, self.sent, self.heard, self.count = c, c.target, 0, 0, 0

    def send(self, data):
        self.sent += len(data)
        try:
            self.s.sendto(data, self.target)
        except (BlockingIOError, ConnectionRefusedError):
            pass

    def answers(self, quiet=0.3):
        """All that comes until nothing has for so long: (kind, id, window, seq, ack, rest)."""
        out = []
        self.s.settimeout(quiet * self.c.patience)
        try:
            while True:
                data = self.s.recv(65536)
                self.heard += len(data)
                self.count += 1
                kind, _, id_, _, _, window, seq, ack = HEAD.unpack(data[:20])
                out.append((kind >> 4, id_, window, seq, ack, data[20:]))
        except TimeoutError:
            return out

    def connect(self, id_=1000, seq=1):
        """A connection, and our greeting on it; its own must come back."""
        for _ in range(4):
            self.send(head(SYN, id_, seq, 0))
            got = [a for a in self.answers(0.5) if a[0] == STATE and a[1] == id_]
            if got:
                break
        else:
            raise Unexpected("a SYN is not answered")
        self.id, self.seq, self.ack = id_, seq + 1, got[0][3] - 1
        self.say(self.c.hello())
        for _ in range(4):
            text = b"".join(a[5] for a in self.answers(0.5) if a[0] == DATA)
            if wire.PROTOCOL in text:
                return self
        raise Unexpected("a greeting by uTP is not answered")

    def say(self, data, window=1 << 20):
        self.send(head(DATA, self.id + 1, self.seq, self.ack, window) + data)
        self.seq += 1

    def alive(self):
        """It acknowledges what we say."""
        for _ in range(4):
            self.send(head(DATA, self.id + 1, self.seq, self.ack) + bytes(4))  # a keep-alive
            if any(a[0] in (DATA, STATE) and a[1] == self.id and a[4] == self.seq & 0xffff for a in self.answers(0.3)):
                self.seq += 1
                return
        raise Unexpected("the connection is gone")


@case("U01a", "headers of every wrong kind, cut everywhere", IGNORED)
def _(c):
    u, good = Utp(c), head(STATE, 77, 1, 1, ext=1) + b"\0\x04\xff\xff\xff\xff"
    for n in range(len(good)):
        u.send(good[:n])
    for kind in range(16):
        for version in range(16):
            if (kind, version) not in ((SYN, 1), (DATA, 1), (FIN, 1)):
                u.send(head(kind, 77, 1, 1, version=version) + b"x")
    if u.answers():
        raise Unexpected(f"answered {u.count} times")
    Utp(c, 1).connect()


@case("U01b", "chains of extensions: too long, past the end, selective acks of 255 bytes", SERVED)
def _(c):
    u = Utp(c).connect()
    for body in (b"\x01\x00" * 200, b"\x01\xff" + bytes(3), b"\0\xff" + b"\xff" * 255, b"\x01\xff" + b"\xff" * 255 + b"\0\xff"):
        u.send(head(STATE, u.id + 1, u.seq, u.ack, ext=1) + body)
    u.alive()


@case("U02a", "10,000 SYNs: what is sent back is no more than what came", BOUNDED)
def _(c):
    u = Utp(c)
    for k in range(10000):
        u.send(head(SYN, k, 1, 0))
        if k % 100 == 99:
            time.sleep(0.002)
    u.answers()
    if u.heard > u.sent:
        raise Unexpected(f"{u.sent} bytes asked, {u.heard} answered")


@case("U02b", "data and ends of connections that are none: short answers, and few", BOUNDED)
def _(c):
    u, began = Utp(c), time.monotonic()
    for k in range(20000):
        u.send(head((DATA, FIN)[k % 2], k, k * 7, k * 13) + b"x")
        if k % 100 == 99:
            time.sleep(0.002)
    u.answers()
    if u.heard > u.sent or u.count > 110 * (time.monotonic() - began + 2):
        raise Unexpected(f"{u.count} answers, {u.heard} bytes for {u.sent}")


@case("U03a", "100,000 SYNs from 50 places: no memory goes, and who comes then is served", BOUNDED, memory=12)
def _(c):
    places = [Utp(c, k) for k in range(50)]
    for k in range(100000):
        places[k % 50].send(head(SYN, k, 1, 0))
        if k % 200 == 199:
            time.sleep(0.001)
    Utp(c, 60).connect()
    c.honest(within=10)


@case("U04a", "resets for every id, by one who guesses: connections live", SERVED)
def _(c):
    u = Utp(c).connect()
    for id_ in (u.id - 1, u.id, u.id + 1, u.id + 2):
        for off in range(2000, 63000, 500):
            u.send(head(RESET, id_, 0, u.ack + off))
    u.alive()


@case("U05a", "acks of what was never sent", SERVED)
def _(c):
    u = Utp(c).connect()
    for off in range(500, 30000, 11):
        u.send(head(STATE, u.id + 1, u.seq, u.ack + off, window=1))
    u.alive()


@case("U07a", "1,000 early packets of 1,400 bytes on each of 12 connections", BOUNDED, memory=32)
def _(c):
    for k in range(12):
        u = Utp(c, k).connect()
        for ahead in range(1, 1020):
            u.send(head(DATA, u.id + 1, u.seq + ahead, u.ack) + bytes(1400))
        if k % 4 == 0:
            time.sleep(0.01)
    c.honest(within=15)


@case("U08a", "asks for all it can by uTP and has no room for it, but stays alive", CLOSED, slow=80)
def _(c):
    u = Utp(c).connect()
    blocks = list(c.content.blocks())
    u.say(message(INTERESTED))
    text, end = b"", time.monotonic() + 20 * c.patience
    while message(UNCHOKE) not in text:
        if time.monotonic() > end:
            raise Unexpected("not unchoked")
        for kind, _, _, seq, _, data in u.answers(0.2):
            if kind == DATA and seq == (u.ack + 1) & 0xffff:
                u.ack, text = seq, text + data
        u.say(bytes(4))
    said = b"".join(request(*b) for b in blocks)
    for at in range(0, len(said), 1000):
        u.say(said[at:at + 1000], window=0)
    began = time.monotonic()
    while time.monotonic() < began + 95 * c.patience:
        # What was under way is acknowledged, and that there is no room for more; later, that alone.
        u.send(head(DATA, u.id + 1, u.seq, u.ack, window=0) + bytes(4))
        u.seq += 1
        for kind, _, _, seq, _, data in u.answers(1 / c.patience):
            if kind in (FIN, RESET):
                return
            if kind == DATA and seq == (u.ack + 1) & 0xffff and time.monotonic() < began + 3:
                u.ack = seq
    raise Unexpected("it still waits for the room that never comes")


@case("U09a", "one place, 1,000 connections: there is an end to them, and others are served", BOUNDED, memory=64, slow=5)
def _(c):
    u = Utp(c)
    for k in range(0, 2000, 2):
        u.send(head(SYN, k, 1, 0))
        if k % 100 == 98:
            for kind, id_, _, seq, _, _ in u.answers(0.05):
                if kind == STATE:
                    u.send(head(DATA, id_ + 1, 2, seq - 1) + b"\x13BitTorrent")
    c.honest(within=7 / c.patience)  # sooner than those time out


@case("U12a", "sequence numbers around their turn, lost, repeated and shuffled", SERVED)
def _(c):
    rng = random.Random(7)
    for seq in (0xfff0, 0xfffe, 0xffff, 0):
        u = Utp(c, seq & 3).connect(seq=seq)
        packets = [head(DATA, u.id + 1, u.seq + i, u.ack) + bytes(4) for i in range(40)]
        for _ in range(6):
            rng.shuffle(packets)
            for p in packets:
                if rng.random() < 0.7:
                    u.send(p)
        for p in packets:
            u.send(p)
        u.seq += 40
        u.alive()
