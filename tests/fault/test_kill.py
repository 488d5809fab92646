"""test_kill.py - kill -9 at random moments of a transfer, again and again: what is claimed is true, and is not fetched again.

    test_kill.py [--kills N] [--seed S]

After every kill an independent reader (fault-claimed) lists what the state database claims; each of those ranges is
compared with the source. After every restart the engine must say it has at least that, and a relay between it
and the seed sees every request: none may be for a piece that was claimed. 200 kills; SHOAL_LONG: 10,000.
"""
import argparse
import os
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faultkit as kit  # noqa: E402

MANY = {"a/one": 1, "a/big": 1_900_001, "b/empty": 0, "b/c/d": 300_000, "e": 16384, "f": 700_003, "g/h": 40_000}


def default_kills():
    if os.environ.get("SHOAL_LONG"):
        return 10_000
    return 40 if os.environ.get("SHOAL_SHORT") else 200


class Transfer:
    def __init__(self, work, number, rnd, form, sizes):
        self.work = os.path.join(work, str(number))
        os.mkdir(self.work)
        self.rnd = rnd
        self.content = kit.Content(self.work, form, sizes, number, rnd.choice(["16K", "32K", "64K"]))
        self.copy = os.path.join(self.work, "copy")
        self.state = os.path.join(self.work, "state")
        os.mkdir(self.state)
        host = f"127.0.{1 + number // 200}.{1 + number % 200}"
        self.seed = kit.Shoal(self.work, "seed", self.content.torrent, "-d", self.content.source, "--listen", f"{host}:7000",
                              state=os.path.join(self.work, "seed-state"))
        self.seed.wait_for("started")
        self.relay = kit.Relay((host, 7001), (host, 7000))
        self.host = host
        self.deaths = self.restarts_seen = self.told = self.adopted = 0
        self.claims = {"pieces": 0, "bytes": 0, "named": 0, "ranges": []}

    def life(self):
        """One start and its sudden end. True when the transfer was complete before that."""
        rate = f"{self.rnd.choice([2, 4, 8])}M"
        getter = kit.Shoal(self.work, "get", self.content.torrent, "-o", self.copy, "--peer", self.relay.address, "--down", rate,
                           "--listen", f"{self.host}:7002", "--timeout", "60", state=self.state)
        before, asked_from, told_from = self.claims, len(self.relay.asked), len(self.relay.told)
        # Most deaths come while blocks do; some in the start, some long after.
        span = self.rnd.choice([0.01, 0.03, 0.05, 0.08, 0.08, 0.12, 0.2])
        died = getter.dies_within(self.rnd.random() * span + 0.005)
        self.deaths += died
        self.claims = kit.claims(self.content.torrent, self.copy, self.state, self.work)
        self.check(getter, before, self.relay.asked[asked_from:], set(self.relay.told[told_from:]))
        getter.forget()
        return not died

    def check(self, getter, before, asked, told):
        bad = self.content.false_claims(self.copy, self.claims)
        assert not bad, f"claimed and false: {bad[:5]}"
        checked = getter.last("checked")
        if checked:
            self.restarts_seen += 1
            assert checked["done"] >= before["bytes"], f"claimed {before['bytes']} bytes, had {checked['done']} after the restart"
            self.adopted += checked["done"] - before["bytes"]
        was = {r[0] for r in before["ranges"]}
        now = {r[0] for r in self.claims["ranges"]}
        assert was <= now, f"claims are gone: {sorted(was - now)[:5]}"
        self.told += len(told)
        assert told <= now, f"a peer was told of pieces that no record names: {sorted(told - now)[:5]}"
        again = [a for a in asked if a[0] in was]
        assert not again, f"asked for again: {again[:5]}"
        progress = getter.last("progress")
        if progress:  # what it said is durable is in the database
            assert self.claims["bytes"] >= progress["done"], f"said {progress['done']}, recorded {self.claims['bytes']}"

    def run(self):
        lives = 0
        while not self.life():
            lives += 1
            assert lives < 400, "it gets nowhere"
        self.content.same(self.copy)
        left = [f for where, _, files in os.walk(self.copy) for f in files if f.endswith(".part")]
        assert not left, f"left behind: {left}"

    def end(self):
        self.seed.kill()

    def asked_bytes(self):
        return sum(a[2] for a in self.relay.asked)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--kills", type=int, default=default_kills())
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    rnd = random.Random(args.seed)
    work = tempfile.mkdtemp(prefix="shoal-kill-")
    kills = number = seen = size = asked = adopted = told = 0
    started = time.monotonic()

    def begin(n):
        return Transfer(work, n, rnd, ("v1", "v2", "hybrid")[n % 3], MANY if n % 2 else {"content": 2_500_003})

    for t in kit.transfers(begin, args.kills, args.seed):
        kills += t.deaths
        seen += t.restarts_seen
        size += t.content.size
        asked += t.asked_bytes()
        adopted += t.adopted
        told += t.told
        number += 1
    shutil.rmtree(work)
    print(f"{kills} kills in {number} transfers, {time.monotonic() - started:.1f} s: no false claim, none lost, none fetched "
          f"again\n{told} pieces were told to a peer before a kill, and claimed after it; {seen} restarts got as far as 'checked'; {adopted / 1e6:.1f} MB unclaimed were adopted by hashing; "
          f"{size / 1e6:.1f} MB of content, {asked / 1e6:.1f} MB asked for ({(asked - size) / 1e3 / max(kills, 1):.0f} kB more a kill)")
    # A death costs what was under way: what came since the last commit, and what was asked for and not there yet.
    assert asked - size < kills * 600_000, "far too much is fetched twice"
    return 0


kit.inside()
sys.exit(main())
