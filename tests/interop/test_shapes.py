"""test_shapes.py - every shape of data through the whole program: create, show, seed, get, verify, compared by hand.

Pieces of 16 KiB to 64 MiB, empty files alone, deep trees, names of 255 bytes, names that collide or mean harm, sparse
files, many small ones. Small here; with SHOAL_LONG=1 also a terabyte of holes and a hundred thousand files within a
stated memory. Exits 77 where no closed namespace can be had.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import closed
from closed import HERE

closed.enter()
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from swarmkit import Shoal, digests, lt, tree, wait  # noqa: E402
from torrents import bencode, v1_of  # noqa: E402

KI, MI = 1024, 1 << 20
LONG = os.environ.get("SHOAL_LONG") == "1"
QUIET = ["--no-dht", "--no-lsd", "--no-portmap", "--no-utp", "--no-trackers"]
FORMATS = ("v1", "v2", "hybrid")


def run(*args, code=0):
    done = subprocess.run([Shoal.program, *args], capture_output=True, timeout=120, check=False)
    if done.returncode != code:
        raise AssertionError((args, done.returncode, done.stdout[-600:], done.stderr[-1500:]))
    return done.stdout.decode(errors="surrogateescape")


def kib_of(path):
    return os.stat(path).st_blocks // 2


class Shapes(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="shoal-shapes-")
        self.torrent = os.path.join(self.dir, "t.torrent")
        self.number = 0

    def tearDown(self):
        shutil.rmtree(self.dir)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def make(self, *args):
        run("create", self.path("set"), "-o", self.torrent, "--force", "--allow", "all", *args)
        return json.loads(run("show", self.torrent, "--json", "--files"))

    def transfer(self, source, *args):
        """Seeds what lies below `source`, gets it elsewhere, verifies that; returns the folder and the leech's events."""
        self.number += 1
        port, out = 7000 + 2 * self.number, self.path(f"out{self.number}")
        seed = Shoal(self.path(f"seed{self.number}"), "seed", self.torrent, "-d", source, "--listen", f"127.0.0.1:{port}", *QUIET,
                     *args)
        try:
            wait(lambda: seed.last("started") or seed.process.poll() is not None, "the seed starts", seed)
            self.assertIsNone(seed.process.poll(), seed.why())
            leech = Shoal(self.path(f"leech{self.number}"), "get", self.torrent, "-o", out, "--listen", f"127.0.0.1:{port + 1}",
                          "--peer", f"127.0.0.1:{port}", *QUIET, *args)
            try:
                wait(lambda: leech.process.poll() is not None, "the leech ends", leech, seed)
                self.assertEqual(leech.process.returncode, 0, leech.why())
                events = leech.events()
            finally:
                leech.stop()
        finally:
            seed.stop()
        run("verify", self.torrent, "-d", out)
        return out, events

    def whole_way(self, *args):
        shown = self.make(*args)
        out, _ = self.transfer(self.dir)
        self.assertEqual(digests(os.path.join(out, "set")), digests(self.path("set")))
        shutil.rmtree(out)
        return shown

    def test_pieces_of_every_size(self):
        tree(self.path("set"), {"a": 3 * MI + 5, "b": 16 * KI, "c/d": 100 * KI - 1}, 1)
        for form in FORMATS:
            for size in ("16K", "256K", "4M", "64M"):
                with self.subTest(form=form, size=size):
                    shown = self.whole_way("--format", form, "--piece-size", size)
                    self.assertEqual(shown["piece_size"], int(size[:-1]) * (KI if size[-1] == "K" else MI))

    def test_one_file_of_two_of_the_largest_pieces(self):
        tree(self.dir, {"set": 64 * MI + 3}, 2)
        self.assertEqual(self.whole_way("--piece-size", "64M")["pieces"], 2)

    def test_nothing_but_empty_files(self):
        for form in FORMATS:
            for names in (("a", "b"), ("a", "b/c", "b/d/e")):
                with self.subTest(form=form, names=names):
                    shutil.rmtree(self.path("set"), ignore_errors=True)
                    tree(self.path("set"), dict.fromkeys(names, 0), 3)
                    shown = self.whole_way("--format", form)
                    self.assertEqual((shown["pieces"], shown["size"], shown["file_count"]), (0, 0, len(names)))
                    self.assertIn("empty", shown["lints"])
                    with self.assertRaises(RuntimeError):  # the row of the table: libtorrent takes no such torrent
                        lt.torrent_info(self.torrent)
        shutil.rmtree(self.path("set"))
        tree(self.dir, {"set": 0}, 3)  # and a single one
        for form in FORMATS:
            with self.subTest(form=form, single=True):
                self.whole_way("--format", form)

    def test_a_deep_tree(self):
        deep = "/".join(f"{i:x}" for i in range(100))
        tree(self.path("set"), {deep + "/bottom": 20000, "1/side": 1}, 4)
        for form in FORMATS:
            with self.subTest(form):
                self.whole_way("--format", form)
        tree(self.path("set"), {deep + "/one/too": 1}, 4)
        run("create", self.path("set"), "-o", self.torrent, "--force", code=3)

    def test_names_as_long_as_they_may_be(self):
        long = "n" * 255
        utf8 = "\u00fc" * 127 + "x"
        tree(self.path("set"), {long: 20000, long[:-1] + "m": 5, utf8: 20001, "u/" + utf8: 7,
                                "/".join(["d" * 255] * 15) + "/" + "f" * 200: 3}, 5)
        for form in FORMATS:
            with self.subTest(form):
                self.whole_way("--format", form)

    def test_names_that_collide_elsewhere(self):
        tree(self.path("set"), {"Readme": 100, "README": 200, "readme": 300, "caf\u00e9": 400, "cafe\u0301": 500, "a.part": 20000,
                                "a": 20001, "CON": 1, "x:y?": 2, "dot.": 3, " ": 4, "-rf": 5, "new\nline": 6, "\x1b[31mred": 7}, 6)
        for form in FORMATS:
            with self.subTest(form):
                self.assertIn("colliding-names", self.whole_way("--format", form)["lints"])

    def test_names_that_mean_harm(self):
        """Made by hand, as create makes none such: what is unsafe lies under another name, the same for all."""
        files = [(["..", "..", "etc", "passwd"], b"1" * 20000), (["a/../../b"], b"22"), ([""], b"333"), (["."], b"4444"),
                 (["same"], b"5"), (["same"], b"66"), (["same", "below"], b"777"), (["x" * 300], b"8" * 9000), (["nul\0nul"], b"9")]
        data = b"".join(d for _, d in files)
        info = {"name": "../evil", "piece length": 16 * KI, "pieces": v1_of(data, 16 * KI),
                "files": [{"length": len(d), "path": p} for p, d in files]}
        with open(self.torrent, "wb") as f:
            f.write(bencode({"info": info}))
        shown = json.loads(run("show", self.torrent, "--json", "--files"))
        self.assertIn("unsafe-name", shown["lints"])
        source = self.path("source")
        for row, (_, content) in zip(shown["files"], files):
            at = os.path.join(source, row.get("disk_path", row["path"]))
            self.assertTrue(os.path.realpath(at).startswith(os.path.realpath(source) + "/"), at)
            os.makedirs(os.path.dirname(at), exist_ok=True)
            self.assertFalse(os.path.lexists(at))
            with open(at, "wb") as f:
                f.write(content)
        out, _ = self.transfer(source)
        self.assertEqual(digests(out), digests(source))
        self.assertEqual(sorted(n for n in os.listdir(self.dir) if "evil" in n or "etc" in n), [])

    def test_holes_stay_holes(self):
        size = 256 * MI
        with open(self.path("set"), "wb") as f:
            f.truncate(size)
            f.seek(100 * MI + 12345)
            f.write(os.urandom(300 * KI))
        if kib_of(self.path("set")) > 4 * KI:
            print("no holes on this file system: nothing to see")
            return
        for form in FORMATS:
            with self.subTest(form):
                self.make("--format", form, "--piece-size", "1M")
                out, _ = self.transfer(self.dir)
                self.assertEqual(os.path.getsize(os.path.join(out, "set")), size)
                self.assertLess(kib_of(os.path.join(out, "set")), 8 * KI)
                self.assertEqual(subprocess.run(["cmp", self.path("set"), os.path.join(out, "set")], check=False).returncode, 0)
                # One byte in the midst of a hole, and it is found.
                with open(os.path.join(out, "set"), "r+b") as f:
                    f.seek(200 * MI + 7)
                    f.write(b"x")
                run("verify", self.torrent, "-d", out, code=1)
                shutil.rmtree(out)

    def test_many_small_files(self):
        count = 100000 if LONG else 2000
        tree(self.path("set"), {f"{i // 500}/{i}": i % 1400 for i in range(count)}, 7)
        self.make("--format", "v2")
        t = time.monotonic()
        out, events = self.transfer(self.dir, *(["--memory", "24M"] if LONG else []))
        print(f"{count} files: {time.monotonic() - t:.2f} s", flush=True)
        self.assertEqual(digests(os.path.join(out, "set")), digests(self.path("set")))
        self.assertEqual([e for e in events if e["event"] == "error"], [])

    def test_a_terabyte_of_holes(self):
        if not LONG:
            return
        with open(self.path("set"), "wb") as f:
            f.truncate(1 << 40)
            f.seek((1 << 39) + 777)
            f.write(os.urandom(MI))
        if kib_of(self.path("set")) > 4 * KI:
            print("no holes on this file system: nothing to see")
            return
        t = time.monotonic()
        shown = self.make("--format", "v2")
        run("verify", self.torrent, "-d", self.dir)
        self.assertEqual(shown["size"], 1 << 40)
        self.assertLess(time.monotonic() - t, 60)  # who reads them needs minutes


if __name__ == "__main__":
    unittest.main(verbosity=1, warnings="ignore")
