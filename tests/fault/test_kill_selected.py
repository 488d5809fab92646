"""test_kill_selected.py - kill -9 while some files of a torrent are fetched: their claims hold, and the others stay out of sight.

    test_kill_selected.py [--kills N] [--seed S]

As test_kill.py, with --only. In a v1 torrent wanted files share pieces with others, whose bytes lie in the part file under
STATE. That is looked at from outside: a piece that a peer was told of is never asked for again, neither by a later
life nor by the one that fetches the rest, which has these bytes from nowhere else; and then the part file is gone.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faultkit as kit  # noqa: E402

FILES = {"a/one": 700, "b/big": 1_400_001, "c": 150_000, "d/some": 90_001, "e/tail": 260_003, "f/empty": 0, "g": 20_000}
ONLY = ["b/big", "d/some", "f/empty"]  # each between others


def layout(torrent):
    """(path, offset, size) of each file; the paddings of a hybrid are not among them."""
    said = json.loads(subprocess.run([kit.shoal_program(), "show", torrent, "--files", "--json"], check=True,
                                     capture_output=True).stdout)
    at, out = 0, []
    for f in said["files"]:
        out.append((f["path"], at, f["size"]))
        at += f["size"] if said["format"] == "v1" else -(-f["size"] // said["piece_size"]) * said["piece_size"]
    return said["piece_size"], out


class Selected:
    def __init__(self, work, number, rnd, form):
        self.work = os.path.join(work, str(number))
        os.mkdir(self.work)
        self.rnd = rnd
        self.content = kit.Content(self.work, form, FILES, number, rnd.choice(["16K", "32K", "64K"]))
        self.copy, self.state = os.path.join(self.work, "copy"), os.path.join(self.work, "state")
        os.mkdir(self.state)
        size, files = layout(self.content.torrent)
        pieces = {path: set(range(at // size, (at + n - 1) // size + 1)) if n else set() for path, at, n in files}
        self.wanted = set().union(*(pieces[f"content/{f}"] for f in ONLY))
        self.shared = self.wanted & set().union(*(p for f, p in pieces.items() if f[8:] not in ONLY))
        assert bool(self.shared) == (form == "v1"), self.shared
        self.host = f"127.0.9.{1 + number % 200}"
        self.seed = kit.Shoal(self.work, "seed", self.content.torrent, "-d", self.content.source, "--listen",
                              f"{self.host}:7000", state=os.path.join(self.work, "seed-state"))
        self.seed.wait_for("started")
        self.relay = kit.Relay((self.host, 7001), (self.host, 7000))
        self.claimed = set()  # by records of files, or told to a peer
        self.lives = self.deaths = self.done = self.shared_told = 0

    def get(self, *args):
        return kit.Shoal(self.work, "get", self.content.torrent, "-o", self.copy, "--peer", self.relay.address, "--listen",
                         f"{self.host}:7002", "--timeout", "30", *args, state=self.state)

    def life(self, *args, only=True):
        """One start and its sudden end. True when all it wants was there before that."""
        asked_from, told_from = len(self.relay.asked), len(self.relay.told)
        getter = self.get("--down", f"{self.rnd.choice([2, 4, 8])}M", *args)
        self.lives += 1  # where all is slow, as with a sanitizer, lives grow until it gets somewhere
        span = self.rnd.choice([0.02, 0.06, 0.1, 0.2]) * (1 + self.lives / 20)
        died = getter.dies_within(self.rnd.random() * span + 0.005)
        self.deaths += died
        self.check(getter, {a[0] for a in self.relay.asked[asked_from:]}, set(self.relay.told[told_from:]), only)
        getter.forget()
        return not died

    def check(self, getter, asked, told, only):
        claims = kit.claims(self.content.torrent, self.copy, self.state, self.work)
        bad = self.content.false_claims(self.copy, claims)
        assert not bad, f"claimed and false: {bad[:5]}"
        again = asked & self.claimed
        assert not again, f"claimed, and asked for again: {sorted(again)[:5]} (shared: {sorted(again & self.shared)[:5]})"
        now = {r[0] for r in claims["ranges"]}
        lost = self.claimed - self.shared - now
        assert not lost, f"claims are gone: {sorted(lost)[:5]}"
        unknown = told - self.shared - now
        assert not unknown, f"a peer was told of pieces that no record names: {sorted(unknown)[:5]}"
        self.claimed |= now | told
        self.shared_told += len(told & self.shared)
        if not only:
            return
        assert asked <= self.wanted, f"asked for, and nobody wants it: {sorted(asked - self.wanted)[:5]}"
        checked, progress = getter.last("checked"), getter.last("progress") or getter.last("complete")
        if checked:
            assert checked["done"] >= self.done, f"said {self.done} bytes, had {checked['done']} after the restart"
            self.done = max(self.done, checked["done"], (progress or {}).get("done", 0))
        seen = {os.path.relpath(os.path.join(where, f), self.copy) for where, _, files in os.walk(self.copy) for f in files}
        assert seen <= {f"content/{f}{end}" for f in ONLY for end in ("", ".part")}, f"in sight: {sorted(seen)}"

    def the_rest(self):
        """Everything is wanted now, and deaths go on."""
        for f in ONLY:
            with open(os.path.join(self.copy, "content", f), "rb") as got:
                assert got.read() == self.content.bytes[f"content/{f}"], f"{f} differs"
        parts = os.path.join(self.state, "parts")
        assert bool(self.shared) == (os.path.isdir(parts) and os.listdir(parts) != []), "the part file"
        self.claimed |= self.wanted  # it ended with 0
        while not self.life(only=False):
            assert self.lives < 400, "it gets nowhere"
        self.content.same(self.copy)
        left = [f for where, _, files in os.walk(self.copy) for f in files if f.endswith(".part")]
        assert not left, f"left behind: {left}"
        assert not os.path.isdir(parts) or os.listdir(parts) == [], "the part file is still there"

    def run(self):
        while not self.life(*(word for f in ONLY for word in ("--only", "/" + f))):
            assert self.lives < 400, "it gets nowhere"
        self.the_rest()

    def end(self):
        self.seed.kill()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--kills", type=int, default=1000 if os.environ.get("SHOAL_LONG") else 30)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    rnd = random.Random(args.seed)
    work = tempfile.mkdtemp(prefix="shoal-kill-selected-")
    kills = number = shared = 0
    started = time.monotonic()
    for t in kit.transfers(lambda n: Selected(work, n, rnd, ("v1", "v1", "hybrid")[n % 3]), args.kills, args.seed, least=3,
                           seen=lambda: shared > 0):
        kills += t.deaths
        shared += t.shared_told
        number += 1
    shutil.rmtree(work)
    print(f"{kills} kills in {number} transfers, {time.monotonic() - started:.1f} s: no false claim, none lost, none fetched again; "
          f"{shared} pieces shared with unwanted files were told to a peer")
    assert shared > 0
    return 0


kit.inside()
sys.exit(main())
