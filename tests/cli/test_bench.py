"""test_bench.py - the users' benchmark still works: a tiny run of everything, and its verdicts on made-up figures."""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "..", "tools", "bench")
SHOAL = os.environ.get("SHOAL", "shoal")
sys.path.insert(0, BENCH)
import bars  # noqa: E402
import content  # noqa: E402
import content_tree  # noqa: E402
import harness  # noqa: E402
import measures  # noqa: E402
import swarms  # noqa: E402
from torrents import bdecode, v1_of, v2_of  # noqa: E402


def records(**figures):
    return [{"foreign": 0.0, "disturbed": False, "verified": True, **figures}] * 3


class Verdicts(unittest.TestCase):
    SEEN = dict(bars.LIMITS)

    def rows(self, seen=None, **groups):
        groups = {"pairs": {}, "creates": {}, "verifies": {}, "lanes": None, "latency": {}, **groups}
        return {r["what"]: r for r in bars.table(seen or self.SEEN, (2048, 4096), **groups)}

    def pair(self, ours, other, seen=None):
        pairs = {"shoal>shoal v1": records(mib_s=ours, cpu_gib=1.0, rss=100.0),
                 "libtorrent>libtorrent v1": records(mib_s=other, cpu_gib=2.4, rss=2000.0)}
        return self.rows(seen, pairs=pairs)

    def test_a_bar_is_met_or_missed(self):
        self.assertEqual(self.pair(1440, 800)["1 -> 1 v1, tmpfs"]["verdict"], "met")
        self.assertEqual(self.pair(1439, 800)["1 -> 1 v1, tmpfs"]["verdict"], "MISSED")
        self.assertEqual(self.pair(1440, 800)["1 -> 1 v1, CPU of both sides"]["verdict"], "met")
        self.assertEqual(self.pair(1440, 800)["RSS by default (128M + 32 MiB)"]["verdict"], "met")

    def test_a_lame_anchor_makes_it_void(self):
        self.assertEqual(self.pair(1440, 690)["1 -> 1 v1, tmpfs"]["verdict"], "void")
        slow = {k: v / 2 for k, v in bars.LIMITS.items()}
        self.assertEqual(self.pair(1440, 690, slow)["1 -> 1 v1, tmpfs"]["verdict"], "met")
        self.assertAlmostEqual(bars.expected("pair v1", bars.LIMITS, 2048), 2048 / 2.62)
        self.assertAlmostEqual(bars.expected("pair v1", slow, 2048), 1024 / 2.62)

    def test_what_was_not_measured_is_not_met(self):
        rows = self.rows()
        self.assertEqual({r["verdict"] for r in rows.values()}, {"skipped"})
        rows = self.rows(verifies={"shoal v1": records(mib_s=9e9), "libtorrent v1": [{"failed": "it fell over"}]})
        self.assertEqual(rows["verify v1"]["verdict"], "failed")
        self.assertIn("it fell over", bars.text_of(list(rows.values())))

    def test_a_verify_is_held_against_the_best_other(self):
        rows = self.rows(verifies={"shoal v1": records(mib_s=4200.0), "libtorrent v1": records(mib_s=1300.0)})
        self.assertEqual(rows["verify v1"]["verdict"], "MISSED")  # 3.2 times libtorrent, but not 3 times the best
        self.assertEqual(rows["verify v1"]["other"], bars.BEST_VERIFY)


class Content(unittest.TestCase):
    def test_torrents_are_as_another_hasher_has_them(self):
        with tempfile.TemporaryDirectory() as folder:
            for size in (1, 16384, 65536, 65537, 3 * 65536, 333333):
                p = content.Payload(folder, f"p{size}", size, 65536)
                with open(p.path, "rb") as f:
                    raw = f.read()
                root, layer = v2_of(raw, 65536)
                with open(p.torrent("hybrid"), "rb") as f:
                    made = bdecode(f.read())
                info = made[b"info"]
                self.assertEqual(info[b"pieces"], v1_of(raw, 65536))
                self.assertEqual(info[b"file tree"][p.name.encode()][b""], {b"length": size, b"pieces root": root})
                self.assertEqual(made[b"piece layers"], {root: b"".join(layer)} if layer else {})

    def test_a_copy_is_judged_by_every_byte(self):
        with tempfile.TemporaryDirectory() as folder:
            p = content.Payload(os.path.join(folder, "a"), "p", 100000, 65536)
            with open(p.path, "rb") as f:
                raw = bytearray(f.read())
            self.assertFalse(p.is_copied_to(folder))
            for good in (True, False):
                raw[-1] ^= 0 if good else 1
                with open(os.path.join(folder, "p"), "wb") as f:
                    f.write(raw)
                self.assertEqual(p.is_copied_to(folder), good)


class Others(unittest.TestCase):
    """Another engine that crashes is run once more; ours is not."""

    def series(self, name, crashes):
        runs = []

        def measure():
            runs.append(name)
            script = "kill -SEGV $$" if len(runs) <= crashes else 'echo \'{"event": "started"}\''
            with tempfile.TemporaryDirectory() as folder:
                harness.Node(name, ["sh", "-c", script], folder).wait("started", 20)
            return {"foreign": 0.0}

        bench = measures.Bench.__new__(measures.Bench)
        bench.options = argparse.Namespace(tries=1, patience=0, disturbed=6)
        (record,) = bench.series([("x", measure)], 1, "test")["x"]
        return record, len(runs)

    def test_another_engine_may_crash_once(self):
        self.assertEqual(self.series("libtorrent:x", 1), ({"foreign": 0.0, "disturbed": False}, 2))
        record, runs = self.series("libtorrent:x", 9)
        self.assertIn("SIGSEGV", record["failed"])
        self.assertEqual(runs, 2)
        record, runs = self.series("shoal", 1)
        self.assertIn("SIGSEGV", record["failed"])
        self.assertEqual(runs, 1)


class Tiny(unittest.TestCase):
    def test_a_tree_is_as_another_hasher_has_it(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = content_tree.Tree(folder, "set", 1200, 20000, 32768, seed=3)
            data = b"".join(tree.bytes_of(i) for i in range(1200))
            self.assertEqual(len(data), tree.size)
            with open(tree.torrent("v1"), "rb") as f:
                info = bdecode(f.read())[b"info"]
            self.assertEqual(info[b"pieces"], v1_of(data, 32768))
            self.assertEqual([f[b"length"] for f in info[b"files"]], tree.sizes)
            with open(tree.torrent("v2"), "rb") as f:
                top = bdecode(f.read())[b"info"][b"file tree"]
            leaf = top[b"00002"][b"0001007"][b""]
            self.assertEqual((leaf[b"length"], leaf[b"pieces root"]), (tree.sizes[1007], v2_of(tree.bytes_of(1007), 32768)[0]))
            self.assertTrue(tree.is_copied_to(folder))
            made = os.path.join(folder, "made")
            subprocess.run([SHOAL, "create", tree.path, "-o", made, "--format", "v2", "--piece-size", "32K", "--no-date",
                            "--allow", "all"], check=True, capture_output=True, timeout=60)
            self.assertTrue(tree.is_torrent_of_it(made, "v2"))
            with open(os.path.join(tree.path, "00001", "0000777"), "r+b") as f:
                f.write(b"X")
            self.assertFalse(tree.is_copied_to(folder))

    def test_bars_of_many_files(self):
        files = {"shoal>shoal": records(seconds=0.67, cpu_gib=5.0), "libtorrent>libtorrent": records(seconds=1.0, cpu_gib=9.9),
                 "shoal>shoal disk": records(seconds=1.34, cpu_gib=7.0)}
        self.assertEqual([r["verdict"] for r in bars.files_table(files)], ["met", "MISSED", "met"])
        million = {"create": records(rss=176.0), "verify": records(rss=176.5)}
        self.assertEqual([r["verdict"] for r in bars.million_table(million)], ["met", "MISSED", "skipped"])

    def test_bars_of_swarms_and_limits(self):
        swarm = {"shoal": records(seconds=5.3, cpu_gib=1.21), "libtorrent": records(seconds=9.9, cpu_gib=2.4),
                 "rtorrent": records(seconds=9.0, cpu_gib=2.0), "aria2": [{"failed": "it fell over"}]}
        self.assertEqual([(r["verdict"], r["other"]) for r in bars.swarm_table(swarm)], [("met", 9.0), ("MISSED", 1.2)])
        self.assertEqual([r["verdict"] for r in bars.swarm_table({"shoal": records(seconds=5.0, cpu_gib=1.2)})],
                         ["skipped", "met"])
        self.assertEqual([r["verdict"] for share in (0.95, 0.949) for r in bars.capped_table({"shoal": records(share=share)})],
                         ["met", "MISSED"])
        self.assertEqual([r["verdict"] for r in bars.star_table({"shoal": records(bound=1.31, copies=1.2)})], ["MISSED", "met"])
        rate = {"--up": records(least=0.98, most=1.02, window_s=5.0), "--down": records(least=0.96, most=1.0, window_s=5.0)}
        self.assertEqual([r["verdict"] for r in bars.rate_table(rate)], ["met", "MISSED"])
        line = {"lossy": {"shoal:utp": records(mbit_s=3.0), "libtorrent:utp": records(mbit_s=3.01)},
                "jitter": {"shoal:utp": records(mbit_s=40.0)}, "waiting": {"shoal:utp": records(wait95_ms=100)},
                "shared": {"shoal:utp": records(joined=0.899, joins=0.9)}}
        self.assertEqual([r["verdict"] for r in bars.line_table(line)], ["MISSED", "met", "met", "MISSED", "met"])
        line["lossy"]["shoal:utp"], line["shared"] = records(mbit_s=3.01), {"libtorrent:utp": records(joined=1.0)}
        self.assertEqual([r["verdict"] for r in bars.line_table(line)], ["met", "met", "met", "skipped", "skipped"])
        rows = bars.update_table({"v2": records(moved=0.06), "hybrid": records(moved=0.061)})
        self.assertEqual([r["verdict"] for r in rows], ["met", "MISSED"])

    def test_a_next_version_has_one_file_in_twenty_changed(self):
        with tempfile.TemporaryDirectory() as folder:
            before, after = swarms.versions(
                lambda changed: content_tree.Tree(os.path.join(folder, str(len(changed))), "set", 400, 30000, 32768, 5, changed))
            differ = [i for i in range(400) if before.bytes_of(i) != after.bytes_of(i)]
            self.assertEqual(len(after.news), 20)
            self.assertEqual(differ, sorted(i for i in after.news if after.sizes[i] > len(str(i))))  # but for the very small
            self.assertEqual(before.sizes, after.sizes)
            self.assertEqual(after.changed, sum(after.sizes[i] for i in after.news))
            self.assertAlmostEqual(after.changed / after.size, 0.05, delta=0.01)
            self.assertFalse(after.is_copied_to(before.folder))

    def compare(self, *words):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [os.path.join(BENCH, "compare"), *words, "--shoal", SHOAL, "--reps", "1", "--tries", "1", "--patience", "0",
                 "--warm", "0", "--limit", "20", "--scratch", folder, "--disk", folder, "--json"],
                capture_output=True, timeout=100, check=False)
            if done.returncode == 77:
                self.skipTest(done.stderr.decode())
            self.assertEqual(done.returncode, 0, done.stderr.decode()[-3000:])
            self.assertEqual(os.listdir(folder), [], "something was left behind")
        return json.loads(done.stdout)["cases"]

    def test_a_swarm_and_a_next_version(self):
        (record,) = self.compare("swarm", "--size", "8M", "--piece", "64K", "--engines", "shoal")["swarm"]["shoal"]
        self.assertTrue(record["verified"])
        update = self.compare("update", "--files", "200")["update"]
        for form in "v2", "v1":
            (record,) = update[form]
            self.assertGreater(record["moved"], record["changed"])  # all of what is new crossed the loopback
            self.assertLess(record["moved"], 0.2)

    def test_all_of_it_on_one_megabyte(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [os.path.join(BENCH, "compare"), "all", "--shoal", SHOAL, "--size", "1M", "--hash-size", "1M", "--piece", "64K",
                 "--reps", "1", "--tries", "1", "--patience", "0", "--warm", "0", "--limit", "20", "--scratch", folder,
                 "--disk", folder, "--digest-bench", "", "--json"], capture_output=True, timeout=100, check=False)
            if done.returncode == 77:
                print(done.stderr.decode())
                sys.exit(77)
            self.assertEqual(done.returncode, 0, done.stderr.decode()[-3000:])
            self.assertEqual(os.listdir(folder), [], "something was left behind")
        run = json.loads(done.stdout)
        verdicts = {r["what"]: r["verdict"] for r in run["table"]}
        self.assertNotIn("failed", verdicts.values(), run["table"])
        for name in ("shoal>shoal v1", "shoal>shoal v2", "shoal>shoal v1 16M", "shoal>shoal v1 disk"):
            (record,) = run["cases"]["pair"][name]
            self.assertTrue(record["verified"])
            self.assertGreater(record["mib_s"], 0)
            self.assertGreater(record["cpu_gib"], 0)
        if "libtorrent" not in run["absent"]:
            for name in ("libtorrent>libtorrent v1", "shoal>libtorrent v1", "libtorrent>shoal v2"):
                self.assertTrue(run["cases"]["pair"][name][0]["verified"])
            self.assertNotIn("skipped", [v for k, v in verdicts.items() if k.startswith(("1 -> 1", "verify"))])
        for key, value in run["cases"]["limits"]["machine"][0].items():
            if key != "foreign":
                self.assertGreater(value, 0, key)


if __name__ == "__main__":
    unittest.main(verbosity=2)
