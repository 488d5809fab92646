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
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import closed

closed.enter()
from clients import CLIENTS  # noqa: E402
from swarmkit import Libtorrent, Shoal, digests, tree, wait  # noqa: E402
from trackerkit import Tracker  # noqa: E402

# Private addresses, not loopback: clients take 127/8 from trackers for a mistake or an attack. A row of them an engine:
# they spend their time waiting for their own timers, so they wait side by side.
OURS, THEIRS, THIRD = "10.9.{}.1", "10.9.{}.2", "10.9.{}.3"
PORT = 7300
LONG = os.environ.get("SHOAL_LONG") == "1"


class Lt:
    """libtorrent with the face of a Client."""

    crypto = "off"
    utp = False  # and no TCP

    def __init__(self, work, address, port):
        self.address, self.port = address, port

    def seed(self, torrent, folder):
        os.makedirs(folder, exist_ok=True)
        # "plain": the handshake of MSE, and then a stream that is not hidden.
        policy = {"off": 2, "allow": 1, "require": 0, "plain": 0}[self.crypto]
        level = {"require": 2, "plain": 1}.get(self.crypto, 3)
        self.node = Libtorrent(self.address, self.port, out_enc_policy=policy, in_enc_policy=policy,
                               allowed_enc_level=level, min_reconnect_time=1,
                               enable_outgoing_utp=self.utp, enable_incoming_utp=self.utp,
                               enable_outgoing_tcp=not self.utp, enable_incoming_tcp=not self.utp)
        wait(lambda: sum(kind == "listen_succeeded_alert" for kind, _ in self.node.pump()) >= 2, "libtorrent listens")
        self.node.add(torrent, folder)
        return self

    get = seed

    def ready(self):
        return self.node.finished()

    finished = ready

    def why(self):
        return self.node.why()

    def stop(self):
        self.node.stop()


ENGINES = {"libtorrent": Lt, **CLIENTS}
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
        row = list(ENGINES).index(engine)
        self.our_ip, self.their_ip, self.third_ip = (ip.format(row) for ip in (OURS, THEIRS, THIRD))
        self.port = PORT + 10 * row

    def run(self):
        source, copy = os.path.join(self.work, "source"), os.path.join(self.work, "copy")
        content, torrent = os.path.join(source, "content"), os.path.join(self.work, "t.torrent")
        tree(content, {"a.bin": 1_900_001, "b/c": 100_000}, 4)
        with Tracker(v4=self.third_ip) as tracker:
            tracker.answer = lambda ask: {"interval": 1800, "seeds": 1, "leeches": 1,
                                          "peers": [(self.our_ip, self.port)] if self.they_dial else []}
            subprocess.run([Shoal.program, "create", content, "-o", torrent, "--format", "v1", "--piece-size", "32K",
                            "--tracker", tracker.url("http", 4), "--quiet"], check=True)
            other = ENGINES[self.engine](self.work + "/them", self.their_ip, self.port + 1)
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


def cells_of(engine, work, only):
    """(cell, how it went) for each."""
    ways = WAYS if engine != "transmission" or LONG else WAYS[:2] + WAYS[3:4]  # it unchokes after 10 s
    rows = [(engine, *way) for way in ways] + [row for row in MORE + UTP if row[0] == engine]
    passed = failed = 0
    for cell in (Cell(work, *row) for row in rows):
        if only not in cell.name:
            continue
        for last in (False, True):
            began = time.monotonic()
            try:
                cell.run()
                passed += 1
                print(f"ok      {cell.name:84} {time.monotonic() - began:5.1f} s", flush=True)
                break
            except Exception as e:  # one cell must not hide the others
                failed += last
                why = e if isinstance(e, AssertionError) else traceback.format_exc()
                print(f"{'FAILED' if last else 'again '}  {cell.name}\n{why}", flush=True)
            finally:
                shutil.rmtree(cell.work, ignore_errors=True)
    return passed, failed


def main():
    only = os.environ.get("SHOAL_INTEROP_ONLY", "")
    for row in range(len(ENGINES)):
        for address in (OURS, THEIRS, THIRD):
            subprocess.run(["ip", "addr", "add", address.format(row) + "/32", "dev", "lo"], check=True)
    work = tempfile.mkdtemp(prefix="shoal-encryption-")
    absent = [name for name, cls in CLIENTS.items() if cls.version() is None]
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(len(ENGINES)) as pool:
            went = list(pool.map(lambda engine: cells_of(engine, work, only), [e for e in ENGINES if e not in absent]))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for name in absent:
        print(f"{name} is not installed: tools/setup does that")
    passed, failed = (sum(column) for column in zip(*went))
    print(f"{passed} passed, {failed} failed in {time.monotonic() - began:.0f} s")
    sys.exit(failed > 0 or passed == 0 or (bool(absent) and not only))


main()
