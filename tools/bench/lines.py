"""tools/bench/lines.py - uTP on one shaped line, where loopback says nothing: how much comes through when packets are lost, how long
it makes others wait, and what it leaves to TCP. Records as in measures.py."""
import os
import sys
import time

from harness import Failed, Foreign, Node, now
from swarms import Star, folders

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
RATE, WAY_US = 100 * 10**6, 25000  # bit/s both ways; one way, so that a round trip takes 50 ms
LOSS_PPM = 10000
JITTER_US = 10000
DEEP_MS = 400  # a home router's queue: what fills it is felt


class Line:
    """A seed at the end of one line, a leech at the other's, both by uTP alone; and room for one more beside each."""

    def __init__(self, bench, engine, payload, tracker, loss_ppm=0, queue_ms=100, jitter_us=0):
        self.bench, self.payload, self.engine, self.tracker = bench, payload, bench.engines[engine], tracker
        self.net = Star(bench.options.star, 3, RATE, RATE, WAY_US, bench.scratch.fresh("star"), loss_ppm, queue_ms,
                        jitter_us)
        self.addr = [f"{host}:6881" for host in self.net.hosts]

    def __enter__(self):
        self.tracker.host = self.net.hosts[-1]
        return self

    def __exit__(self, *_):
        self.tracker.host = "127.0.0.1"
        self.seen = self.net.close()

    def start(self):
        """The leech, which has begun, and whoever uses CPU besides."""
        torrent, scratch = self.payload.torrent("v1"), self.bench.scratch
        self.seed = self.net.start(0, lambda: self.engine.seed(torrent, self.payload.folder, self.addr[0], scratch.fresh("seed")))
        self.seed.wait("started", self.bench.options.limit)
        (self.there,) = folders(self.bench, 1)
        others = Foreign(self.seed, self.net.lines)
        leech = self.net.start(1, lambda: self.engine.join(torrent, self.there, self.addr[1], self.addr[:1], scratch.fresh("leech")))
        others.nodes += (leech,)
        return leech, others

    def stop(self, *nodes):
        for node in (*nodes, self.seed):
            node.stop()


def alone(bench, engine, payload, tracker, loss_ppm, queue_ms, jitter_us=0):
    """Launch to done, and how long packets waited at the seed's line."""
    with Line(bench, engine, payload, tracker, loss_ppm, queue_ms, jitter_us) as line:
        leech, others = line.start()
        seconds = leech.wait("complete", bench.options.limit) - leech.began
        percent = others.percent()
        line.stop(leech)
    if not payload.is_copied_to(line.there):
        raise Failed("the copy is not what was shared")
    bench.scratch.fresh("out")
    up = line.seen[0]
    return {"seconds": seconds, "mbit_s": payload.size * 8 / 1e6 / seconds, "wait_ms": up["wait_ms"],
            "wait95_ms": up["wait95_ms"], "sent": up["sent"] / payload.size, "foreign": percent, "verified": True}


def lossy(bench, engine, payload, tracker):
    return alone(bench, engine, payload, tracker, LOSS_PPM, 100)


def jitter(bench, engine, payload, tracker):
    return alone(bench, engine, payload, tracker, 0, 100, JITTER_US)


def waiting(bench, engine, payload, tracker):
    return alone(bench, engine, payload, tracker, 0, DEEP_MS)


class Tcp:
    """A TCP stream over the seed's line, to a host of its own."""

    def __init__(self, line, port):
        net, state, place = line.net, line.bench.scratch, [line.net.hosts[2], str(port)]
        argv = [sys.executable, "-B", os.path.join(HERE, "tcp_flow.py")]
        self.sink = net.start(2, lambda: Node("tcp", [*argv, "sink", *place], state.fresh(f"tcp-sink-{port}")))
        self.sink.wait("started", 10)
        self.source = net.start(0, lambda: Node("tcp", [*argv, "send", *place], state.fresh(f"tcp-source-{port}")))
        self.source.wait("started", 10)
        self.by = self.source.find("started")[1]["by"]

    def mbit_s(self, seconds):
        """What comes through in so many seconds from now on."""
        def last():
            return next(((t, e["bytes"]) for t, e in reversed(self.sink.events) if e["event"] == "came"), (now(), 0))
        (t, n), _ = last(), time.sleep(seconds)
        t2, n2 = last()
        return (n2 - n) * 8 / 1e6 / max(t2 - t, 0.1)

    def stop(self):
        self.source.stop()
        self.sink.stop()


def shared(bench, engine, payload, tracker, settle=4, seconds=10):
    """What TCP keeps of what it has by itself: when uTP joins it, and when it joins uTP, which has had the line till then."""
    with Line(bench, engine, payload, tracker) as line:
        tcp = Tcp(line, 7000)
        time.sleep(settle)
        by_itself = tcp.mbit_s(seconds)
        leech, others = line.start()
        others.nodes += (tcp.sink, tcp.source)
        time.sleep(settle)
        joined = tcp.mbit_s(seconds)
        tcp.stop()
        time.sleep(settle)
        tcp = Tcp(line, 7001)
        time.sleep(settle)
        joins = tcp.mbit_s(seconds)
        percent, over = others.percent(), leech.find("complete") is not None
        tcp.stop()
        line.stop(leech)
    bench.scratch.fresh("out")
    if over:
        raise Failed("the transfer was over too soon: a larger --size")
    if by_itself < RATE / 2e6:
        raise Failed(f"TCP by itself had {by_itself:.0f} Mbit/s of the line: this machine is too busy")
    return {"tcp": tcp.by, "alone_mbit_s": by_itself, "joined_mbit_s": joined, "joins_mbit_s": joins,
            "joined": joined / by_itself, "joins": joins / by_itself, "foreign": percent}
