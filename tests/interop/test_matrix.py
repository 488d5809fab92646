"""test_matrix.py - every client of the field against shoal: who seeds, which format, how they find each other.

One transfer of a few MiB a cell. Completion is the fetching side's own event; an independent hash has the last word.
Prints the table; a cell that fails is tried once more. Exits 1 when a cell fails
twice that is not in KNOWN with its reason, 77 where no closed namespace can be had. Clients that are not installed are said and left out; in tools/check that is a failure, since
tools/setup installs them. SHOAL_INTEROP_ONLY=WORD runs cells whose name contains WORD; SHOAL_LONG=1 runs all ways.
"""
import os
import shutil
import subprocess
import sys

import closed

closed.enter()
import libtorrent as lt  # noqa: E402
from cases import Cases, scratch  # noqa: E402
from clients import CLIENTS  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402
from trackerkit import Tracker  # noqa: E402

# Private addresses, not loopback: clients take 127/8 from trackers and PEX for a mistake or an attack.
OURS, THEIRS, THIRD = "10.9.0.1", "10.9.0.2", "10.9.0.3"
PORT = 7100
# rTorrent takes no torrent without a tracker while its DHT is off.
NOBODY = "http://10.9.0.3:9/announce"
FILES = {"a/big.bin": 2_500_001, "a/b/empty": 0, "a/b/one": 1, "odd name": 40_000, "exact": 256 * 1024,
         "z/last": 16 * 1024 + 1}

LONG = os.environ.get("SHOAL_LONG") == "1"

# What cannot work, and why; said in the table.
KNOWN = {
    ("transmission", "v2"): "3.00 knows no v2",
    ("aria2", "v2"): "1.36 knows no v2",
    ("rtorrent", "v2"): "0.9.8 knows no v2",
    # Its log says nothing, no packet leaves it; with luck it does. Transmission and rTorrent show that UDP works.
    ("libtorrent", "udp"): "2.0.8 asks a UDP tracker in this namespace only now and then",
    ("aria2", "udp"): "1.36 asks UDP trackers only with its DHT on",
    # Both keep no empty key of a dictionary, and BEP 52's file tree has one for each file.
    ("transmission", "hybrid"): "3.00 refuses every hybrid as malformed, libtorrent's too",
    ("aria2", "hybrid"): "1.36 reckons another info hash for every hybrid, libtorrent's too",
}


class Cell:
    def __init__(self, work, engine, direction, form, way):
        self.name = f"{engine} {direction} {form} {way}"
        self.engine, self.direction, self.form, self.way = engine, direction, form, way
        self.tracker = None
        self.work = os.path.join(work, self.name.replace(" ", "_").replace(">", "_"))

    def make(self):
        self.source = os.path.join(self.work, "source")
        self.content = os.path.join(self.source, "content")
        tree(self.content, FILES, 9)
        self.torrent = os.path.join(self.work, "t.torrent")
        url = self.tracker.url(self.way, 4) if self.tracker else NOBODY
        subprocess.run([Shoal.program, "create", self.content, "-o", self.torrent, "--format", self.form,
                        "--piece-size", "32K", "--tracker", url, "--quiet"], check=True)
        self.link = subprocess.run([Shoal.program, "magnet", self.torrent], check=True, capture_output=True,
                                   text=True).stdout.strip()

    def what(self):
        if self.way == "magnet" and self.engine == "rtorrent":  # 0.9.8 takes no link that has another xt beside btih
            return "&".join(part for part in self.link.split("&") if not part.startswith("xt=urn:btmh:"))
        return self.link if self.way == "magnet" else self.torrent

    def who(self):
        """What shoal is told of the other."""
        return ["--no-lsd"] + ([] if self.tracker else ["--peer", f"{THEIRS}:{PORT + 1}", "--no-trackers"])

    def pads(self):
        """To rTorrent the padding of a hybrid is files like others: where they are missing it has no such piece."""
        for i in range(self.info.num_files()):
            if self.info.file_flags(i) & 1:  # pad_file
                path = os.path.join(self.source, self.info.file_path(i))
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(bytes(self.info.file_size(i)))

    def same(self, folder):
        got = {k: v for k, v in digests(os.path.join(folder, "content")).items() if not k.startswith(".pad")
               and not k.endswith(".aria2")}
        want = {k: v for k, v in digests(self.content).items() if not k.startswith(".pad")}
        if self.engine == "transmission" and self.direction == "gets":
            del want["a/b/empty"]  # 3.00 makes no empty files
        assert got == want, f"the copy differs: {sorted(set(got) ^ set(want))[:6]}"

    def they_seed(self):
        other = CLIENTS[self.engine](self.work + "/them", THEIRS, PORT + 1)
        leech = None
        try:
            if self.engine == "rtorrent" and self.form == "hybrid":
                self.info = lt.torrent_info(self.torrent).files()
                self.pads()
            other.seed(self.torrent, self.source)
            wait(other.ready, f"{self.engine} checks its data", other)
            leech = Shoal(self.work + "/leech", "get", self.what(), "-o", self.work + "/copy", "--listen",
                          f"{OURS}:{PORT}", "--timeout", "60", "--log", "debug", *self.who())
            wait(lambda: leech.last("complete"), f"shoal fetches from {self.engine}", leech, other)
            assert leech.process.wait(10) == 0, f"exit code {leech.process.returncode}"
        finally:
            if leech:
                leech.stop()
            other.stop()
        self.same(self.work + "/copy")

    def we_seed(self):
        other = CLIENTS[self.engine](self.work + "/them", THEIRS, PORT + 1)
        seed = None
        try:
            seed = Shoal(self.work + "/seed", "seed", self.torrent, "-d", self.source, "--listen", f"{OURS}:{PORT}",
                         "--log", "debug", *self.who())
            wait(lambda: seed.last("started"), "shoal is ready to seed", seed)
            other.get(self.what(), self.work + "/copy")
            wait(other.finished, f"{self.engine} fetches from shoal", other, seed)
        finally:
            code = seed.stop() if seed else 0
            other.stop()
        assert code == 0, f"the seed ended with {code}"
        self.same(self.work + "/copy")

    def alone(self):
        try:
            self.run()
        finally:
            shutil.rmtree(self.work, ignore_errors=True)

    def run(self):
        if self.way in ("http", "udp"):
            with Tracker(v4=THIRD) as self.tracker:
                try:
                    self.transfer()
                except AssertionError as e:
                    told = [(a["ip"], a["port"], a["event"], a["left"]) for a in self.tracker.log]
                    raise AssertionError(f"{e}\nthe tracker was told {told}") from e
        else:
            self.transfer()

    def transfer(self):
        self.make()
        self.they_seed() if self.direction == "seeds" else self.we_seed()


def cells(work):
    for engine in CLIENTS:
        for form in ("v1", "hybrid", "v2"):
            for direction in ("seeds", "gets"):
                for way in ("peer", "magnet", "http", "udp"):
                    # The long run has every cell; the short one each engine, direction, format and way somewhere.
                    if form != "v1" and way in ("http", "udp") and engine != "libtorrent" and not LONG:
                        continue
                    if engine == "transmission" and way == "magnet" and not LONG:
                        continue
                    yield Cell(work, engine, direction, form, way)


def main():
    for address in (OURS, THEIRS, THIRD):
        subprocess.run(["ip", "addr", "add", address + "/32", "dev", "lo"], check=True)
    cases = Cases()
    absent = [name for name, cls in CLIENTS.items() if cls.version() is None]
    with scratch("matrix") as work:
        for cell in cells(work):
            reason = KNOWN.get((cell.engine, cell.form)) or KNOWN.get((cell.engine, cell.way))
            if cell.engine in absent or not cases.wanted(cell.name):
                continue
            if reason:
                print(f"cannot  {cell.name:44} {reason}", flush=True)
            else:
                cases.run(cell.name, cell.alone, tries=2)  # these clients' own timers miss now and then
    for name in absent:
        print(f"{name} is not installed: tools/setup does that")
    sys.exit(cases.end() or (bool(absent) and not cases.only))


main()
