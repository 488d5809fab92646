"""tools/bench/polluted_crowd.py - who a leech finds in `compare polluted`: seeds of one rate each, some of whom send false blocks.

    polluted_crowd.py TORRENT DATA --rate BYTES --false SHARE --honest HOST:PORT,... [--polluters HOST:PORT,...] [--hints]

No engine's code, and the same for every engine that is measured: tools/hostilekit speaks for all of them, and those who
lie differ from the honest in the bytes alone. Each serves whoever asks, in the order of asking, never faster than its
line, and drops what is cancelled before its turn. With --hints the honest speak sh_leaves (proto/leaf_hints.h), as shoal does.

Speaks JSON lines (harness.Node). `started` when all listen; for each line on stdin one `count`: bytes of blocks that have been
sent, and of those the false ones. Ends with its stdin, or at SIGTERM.
"""
import argparse
import collections
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.dont_write_bytecode = True
sys.path[0] = os.path.join(os.path.dirname(HERE), "hostilekit")  # instead of ours, whose content.py is another

import content as contents  # noqa: E402
import wire  # noqa: E402
from target import Seeder  # noqa: E402

LATE = 0.05  # seconds of a line that may be made up for after a pause of ours, and no more


class Line:
    """When the next bytes may go."""

    def __init__(self, rate):
        self.rate, self.free = rate, 0.0

    def take(self, count):
        self.free = max(self.free, time.monotonic() - LATE) + count / self.rate


class Source(Seeder):
    """A seed behind a line. What is asked waits in a queue, from which it can be cancelled (BEP 3, 6)."""

    def __init__(self, content, address, port, rate, false=0.0, dice=None, hints=False):
        self.line, self.false, self.dice = Line(rate), false, dice
        self.sent = self.sent_false = 0
        super().__init__(content, address, port, **({"hint": lambda piece, truth: truth} if hints else {}))

    def _serve(self, peer):
        waiting = collections.deque()
        while self.open:
            wait = self.line.free - time.monotonic()
            if waiting and wait <= 0:
                self._give(peer, waiting.popleft())
                wait = 0 if waiting else 0.1
            got = peer.read(time.monotonic() + (max(wait, 0.0005) if waiting else 0.1))
            if got is None:
                continue
            kind, body = got
            if kind == wire.REQUEST:
                waiting.append(body)
            elif kind != wire.CANCEL:
                self._answer(peer, kind, body)
            elif body in waiting:
                waiting.remove(body)
                if peer.hello[20 + wire.FAST_BIT[0]] & wire.FAST_BIT[1]:
                    peer.say(wire.REJECT, body)

    def _give(self, peer, request):
        piece, begin, length = (int.from_bytes(request[i:i + 4], "big") for i in (0, 4, 8))
        data = self.content.block(piece, begin, length)
        if self.false and self.dice.random() < self.false:
            data = data[:-1] + bytes([data[-1] ^ 1])
            self.sent_false += len(data)
        self.sent += len(data)
        self.line.take(len(data))
        peer.say(wire.PIECE, wire.words(piece, begin) + data)


def say(event, **more):
    print(json.dumps({"t": round(time.monotonic(), 6), "event": event, **more}), flush=True)


def places(text):
    return [(host, int(port)) for host, _, port in (p.rpartition(":") for p in text.split(",") if p)]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("torrent")
    p.add_argument("data")
    p.add_argument("--rate", type=float, required=True)
    p.add_argument("--false", type=float, default=0.0, dest="share")
    p.add_argument("--honest", type=places, required=True)
    p.add_argument("--polluters", type=places, default=[])
    p.add_argument("--hints", action="store_true")
    o = p.parse_args()
    content = contents.load(o.torrent, o.data)
    crowd = [Source(content, host, port, o.rate, hints=o.hints) for host, port in o.honest]
    crowd += [Source(content, host, port, o.rate, o.share, random.Random(i)) for i, (host, port) in enumerate(o.polluters)]
    say("started")
    for _ in sys.stdin:
        say("count", sent=sum(s.sent for s in crowd), false=sum(s.sent_false for s in crowd))
    for source in crowd:
        source.stop()


if __name__ == "__main__":
    main()
