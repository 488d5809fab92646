"""serve.py - an adversary that stays: it announces that it has everything, and serves whoever dials it, in its own way.

    tools/hostile serve KIND [NAME=VALUE...] --torrent FILE --data PATH --listen HOST:PORT --tracker URL

The kinds and their parameters are those of `shoal lab example --adversaries`; shares are in millionths, times in
microseconds. `shoal lab run --real` starts it for the adversaries of a scenario. Ends at SIGTERM.
"""
import argparse
import random
import signal
import socket
import threading
import time
import urllib.parse
import urllib.request

import content as contents
import wire
from target import Seeder
from wire import BLOCK, EXT_BIT, FAST_BIT, HAVE_ALL, REJECT, UNCHOKE, bdecode, bencode, extended, message, words

INTERVAL = 30  # seconds between two announces


def spoil(data):
    return data[:-1] + bytes([data[-1] ^ 1])


class Foe(Seeder):
    """Everybody's seed, until it is asked for a block. `of`: its parameters."""
    defaults = {}

    def __init__(self, *args, of=None, **kwargs):
        self.of = {**self.defaults, **(of or {})}
        self.dice = random.Random(1)
        self.lock, self.here = threading.Lock(), threading.local()  # connections have a thread each
        super().__init__(*args, block=None, **kwargs)

    def greet(self, peer):
        theirs = peer.hello[20:28]
        if theirs[EXT_BIT[0]] & EXT_BIT[1]:
            peer.raw(extended(0, bencode({"m": {}, "reqq": 500, "v": "hostile"})))
        first = self.first()
        if first == 0 and theirs[FAST_BIT[0]] & FAST_BIT[1]:
            peer.raw(message(HAVE_ALL))
        else:
            field = bytearray((self.content.count + 7) // 8)
            for i in range(first, self.content.count):
                field[i // 8] |= 0x80 >> i % 8
            peer.raw(message(wire.BITFIELD, bytes(field)))
        peer.raw(message(UNCHOKE))

    def first(self):
        """The piece from which on it says it has them."""
        return 0

    def _hook(self, name, *args):
        return self.answer(*args) if name == "block" else super()._hook(name, *args)

    def _answer(self, peer, kind, body):
        self.here.served = getattr(self.here, "served", 0) + (kind == wire.REQUEST)
        self.here.fast = bool(peer.hello[20 + FAST_BIT[0]] & FAST_BIT[1])
        super()._answer(peer, kind, body)

    def answer(self, piece, begin, data):
        raise NotImplementedError


class Polluter(Foe):
    defaults = {"rate": 1000000, "burst": 1, "last": 0}
    left = 0  # of the false blocks in a row

    def answer(self, piece, begin, data):
        rate = self.of["rate"] / 1e6
        if self.of["last"] and begin + BLOCK < self.content.piece_length(piece):
            return data
        with self.lock:
            # Runs of `burst` false ones, and true ones between them so that the share comes out.
            between = self.of["burst"] * (1 - rate) / rate if rate > 0 else float("inf")
            if self.left == 0 and self.dice.random() < 1 / (1 + between):
                self.left = self.of["burst"]
            if self.left == 0:
                return data
            self.left -= 1
        return spoil(data)


class Loris(Foe):
    defaults = {"quick": 15, "slow_from": 8000000, "slow_until": 15000000}

    def answer(self, piece, begin, data):
        if self.here.served > self.of["quick"]:
            time.sleep(self.dice.uniform(self.of["slow_from"], self.of["slow_until"]) / 1e6)
        return data


class FakeHaver(Foe):
    defaults = {"answer": 0, "claims": 1000000}

    def first(self):
        return self.content.count - self.content.count * self.of["claims"] // 1000000

    def answer(self, piece, begin, data):
        if self.of["answer"] == 0:
            return None
        if self.of["answer"] == 1:  # whoever did not claim the fast extension has no such message: it hears nothing
            return [message(REJECT, words(piece, begin, len(data)))] if self.here.fast else None
        return self.dice.randbytes(len(data))


class Traitor(Foe):
    defaults = {"good": 500, "bad": 100, "rate": 500000}
    count = 0

    def answer(self, piece, begin, data):
        with self.lock:
            at = self.count % (self.of["good"] + self.of["bad"])
            self.count += 1
            false = at >= self.of["good"] and self.dice.random() < self.of["rate"] / 1e6
        return spoil(data) if false else data


KINDS = {"polluter": Polluter, "slow-loris": Loris, "fake-haver": FakeHaver, "traitor": Traitor}


def announce(url, content, foe, port, event, wanted=0):
    """Gives those that the tracker tells of, as (host, port)."""
    query = urllib.parse.urlencode({"info_hash": content.hash, "peer_id": foe.peer_id, "port": port, "uploaded": 0,
                                    "downloaded": 0, "left": 0, "compact": 1, "numwant": wanted, "event": event})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        said = bdecode(opener.open(f"{url}?{query}", timeout=5).read())[0].get(b"peers", b"")
    except (OSError, ValueError):
        return []  # the next one, perhaps
    return [(socket.inet_ntoa(said[i:i + 4]), int.from_bytes(said[i + 4:i + 6], "big")) for i in range(0, len(said) - 5, 6)]


def main(argv):
    p = argparse.ArgumentParser(prog="tools/hostile serve", description=__doc__.split("\n\n")[0])
    p.add_argument("kind", choices=sorted(KINDS))
    p.add_argument("parameter", nargs="*", help="NAME=VALUE")
    for name in ("torrent", "data", "listen", "tracker"):
        p.add_argument("--" + name, required=True)
    o = p.parse_args(argv)
    known = KINDS[o.kind].defaults
    of = {name: int(value) for name, _, value in (word.partition("=") for word in o.parameter)}
    of.pop("view", None)
    if set(of) - set(known):
        p.error(f"a {o.kind} has {', '.join(known)}")
    host, _, port = o.listen.rpartition(":")
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    content = contents.load(o.torrent, o.data)
    foe = KINDS[o.kind](content, host, int(port), of=of)
    event = "started"
    while True:
        announce(o.tracker, content, foe, port, event)
        if stopped.wait(INTERVAL):
            break
        event = ""
    announce(o.tracker, content, foe, port, "stopped")
    foe.stop()
    return 0
