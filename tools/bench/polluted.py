"""tools/bench/polluted.py - one leech among seeds of which some send false blocks: how long it takes, what it fetches in vain,
whom it bans. Records as in measures.py."""
import os

from engines import PYTHON
from harness import Failed, Foreign, Node

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20
HONEST, POLLUTERS = 7, 3
LINE = 2 * MIB  # bytes a second of each
# Name, polluters, the share of their blocks that is false, whether the honest say which blocks are (shoal asks, in v1).
CASES = [("clean", 0, 0.0, False), ("all false", POLLUTERS, 1.0, False), ("a tenth false", POLLUTERS, 0.1, False),
         ("a tenth false, hints", POLLUTERS, 0.1, True)]


class Crowd(Node):
    """Seeds that are of no engine (polluted_crowd.py)."""

    def __init__(self, payload, form, honest, polluters, share, hints, folder):
        super().__init__("the crowd", [PYTHON, "-B", os.path.join(HERE, "polluted_crowd.py"), payload.torrent(form), payload.path,
                                       "--rate", str(LINE), "--false", str(share), "--honest", ",".join(honest),
                                       "--polluters", ",".join(polluters), *(["--hints"] if hints else [])],
                         folder, asked=True)

    def count(self):
        """(bytes of blocks sent so far, of those the false ones)"""
        self.ask()
        self.wait("count", 10)
        _, said = self.find("count")
        return said["sent"], said["false"]


def banned(leech, places):
    """How many of `places` it has said that it banned."""
    hosts = {place.rpartition(":")[0] for place in places}
    return len(hosts & {e["addr"].rpartition(":")[0] for _, e in list(leech.events) if e.get("event") == "peer_banned"})


def polluted(bench, engine, payload, form, polluters, share, hints):
    """HONEST seeds and so many polluters, all known from the start and equally fast, -> 1 leech.

    waste: what was sent to it beyond the payload, by the payload; false: of that the false blocks. Who is not done within
    --limit is a result too: `unfinished`, and the time is that limit.
    """
    places = [f"127.0.{1 + i}.1:{next(bench.ports)}" for i in range(HONEST + polluters)]
    liars = places[1:1 + 2 * polluters:2]  # among the others, for who comes first is met first
    honest = [p for p in places if p not in liars]
    crowd = Crowd(payload, form, honest, liars, share, hints, bench.scratch.fresh("crowd"))
    crowd.wait("started", bench.options.limit)
    there = bench.scratch.fresh("out")
    leech = bench.engines[engine].join(payload.torrent(form), there, f"127.0.0.1:{next(bench.ports)}", places,
                                       bench.scratch.fresh("leech"))
    others = Foreign(leech, crowd)
    try:
        seconds, unfinished = leech.wait("complete", bench.options.limit) - leech.began, 0
    except Failed:
        if leech.ended is not None:
            raise
        seconds, unfinished = bench.options.limit, 1
    (sent, false), cpu, percent = crowd.count(), leech.cpu(), others.percent()
    false_bans, bans = banned(leech, honest), banned(leech, liars)
    leech.stop()
    crowd.stop()
    if not unfinished and not payload.is_copied_to(there):
        raise Failed("the copy is not what was shared")
    bench.scratch.fresh("out")
    ideal = payload.size / (HONEST * LINE)
    return {"seconds": seconds, "ideal": seconds / ideal, "waste": sent / payload.size - 1, "false": false / payload.size,
            "false_bans": false_bans, "bans": bans, "leech_cpu_gib": cpu * (1 << 30) / payload.size, "foreign": percent,
            "unfinished": unfinished, "verified": not unfinished}
