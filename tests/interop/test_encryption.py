"""test_encryption.py - streams hidden by MSE, with every client of the field: either side requires it, either side dials.

By TCP with all of them, and with libtorrent by uTP, when TCP is off at both ends.

Who requires encryption takes no other stream, so a copy that comes proves that one was had. Each cell is one transfer
of 2 MiB; the fetching side says that it is done, an independent hash has the last word. A cell that fails is tried once
more, and it is said. Exits 1 when one fails twice, 77 where no closed namespace can be had.
"""
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from clients import CLIENTS  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402
from trackerkit import Tracker  # noqa: E402

# Private addresses, not loopback: clients take 127/8 from trackers for a mistake or an attack. A row of them an engine:
# they spend their time waiting for their own timers, so they wait side by side.
OURS, THEIRS, THIRD = "10.9.{}.1", "10.9.{}.2", "10.9.{}.3"
PORT = 7300
LONG = os.environ.get("SHOAL_LONG") == "1"


# (what they want, what we want, whether they dial, whether they seed)
WAYS = [("require", "allow", False, True), ("require", "allow", True, False), ("allow", "require", False, False),
        ("allow", "require", True, True), ("require", "require", True, True)]
MORE = [("libtorrent", "plain", "allow", True, False), ("libtorrent", "plain", "allow", False, True),
        ("libtorrent", "off", "allow", True, True)]
UTP = [("libtorrent", *way, True) for way in (WAYS if LONG else WAYS[2::2])]


class Cell:
    def __init__(self, work, engine, theirs, ours, they_dial, they_seed, utp=False):
        self.engine, self.theirs, self.ours, self.they_dial, self.they_seed = engine, theirs, ours, they_dial, they_seed
        self.utp = utp
        self.name = f"{engine} {theirs}, shoal {ours}, {engine if they_dial else 'shoal'} dials and " \
                    f"{engine if they_seed else 'shoal'} seeds{', by uTP' if utp else ''}"
        self.work = os.path.join(work, engine)
        row = list(CLIENTS).index(engine)
        self.our_ip, self.their_ip, self.third_ip = (ip.format(row) for ip in (OURS, THEIRS, THIRD))
        self.port = PORT + 10 * row

    def alone(self):
        try:
            self.run()
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def run(self):
        source, copy = os.path.join(self.work, "source"), os.path.join(self.work, "copy")
        content, torrent = os.path.join(source, "content"), os.path.join(self.work, "t.torrent")
        tree(content, {"a.bin": 1_900_001, "b/c": 100_000}, 4)
        with Tracker(v4=self.third_ip) as tracker:
            tracker.answer = lambda ask: {"interval": 1800, "seeds": 1, "leeches": 1,
                                          "peers": [(self.our_ip, self.port)] if self.they_dial else []}
            subprocess.run([Shoal.program, "create", content, "-o", torrent, "--format", "v1", "--piece-size", "32K",
                            "--tracker", tracker.url("http", 4), "--quiet"], check=True)
            other = CLIENTS[self.engine](self.work + "/them", self.their_ip, self.port + 1)
            other.crypto, other.utp = self.theirs, self.utp
            mine = None
            how = ["--listen", f"{self.our_ip}:{self.port}", "--no-lsd", "--no-trackers", "--encryption", self.ours]
            how += ["--no-tcp"] if self.utp else []
            how += [] if self.they_dial else ["--peer", f"{self.their_ip}:{self.port + 1}"]
            try:
                if self.they_seed:
                    if not self.they_dial:
                        other.seed(torrent, source)
                        wait(other.ready, f"{self.engine} checks its data", other)
                    mine = Shoal(self.work + "/mine", "get", torrent, "-o", copy, "--timeout", "60", *how)
                    if self.they_dial:
                        wait(lambda: mine.last("started"), "shoal is ready", mine)
                        other.seed(torrent, source)
                        wait(other.ready, f"{self.engine} checks its data", other)
                    wait(lambda: mine.last("complete"), f"shoal fetches from {self.engine}", mine, other)
                else:
                    mine = Shoal(self.work + "/mine", "seed", torrent, "-d", source, *how)
                    wait(lambda: mine.last("started"), "shoal is ready", mine)
                    other.get(torrent, copy)
                    wait(other.finished, f"{self.engine} fetches from shoal", other, mine)
            finally:
                other.stop()
                if mine:
                    mine.stop()
        got = {k: v for k, v in digests(os.path.join(copy, "content")).items() if not k.endswith(".aria2")}
        assert got == digests(content), "the copy differs"


def cells_of(engine, work, cases):
    ways = WAYS if engine != "transmission" or LONG else WAYS[:2] + WAYS[3:4]  # it unchokes after 10 s
    rows = [(engine, *way) for way in ways] + [row for row in MORE + UTP if row[0] == engine]
    for cell in (Cell(work, *row) for row in rows):
        cases.run(cell.name, cell.alone, tries=2)


def main():
    for row in range(len(CLIENTS)):
        for address in (OURS, THEIRS, THIRD):
            subprocess.run(["ip", "addr", "add", address.format(row) + "/32", "dev", "lo"], check=True)
    cases = Cases()
    absent = [name for name, cls in CLIENTS.items() if cls.version() is None]
    with scratch("encryption") as work, ThreadPoolExecutor(len(CLIENTS)) as pool:
        list(pool.map(lambda engine: cells_of(engine, work, cases), [e for e in CLIENTS if e not in absent]))
    for name in absent:
        print(f"{name} is not installed: tools/setup does that")
    sys.exit(cases.end() or (bool(absent) and not cases.only))


main()
