"""test_only.py - get --only and --list as a user sees them: what is chosen, what is printed, what ends with exit code 2."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import closed  # noqa: E402

closed.enter()
SHOAL = os.environ.get("SHOAL", "shoal")
NAMES = ["a.mkv", "b/a.mkv", "b/c/d.txt", "e [1].txt", "z"]  # as a torrent orders them


class Only(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        for i, name in enumerate(NAMES):
            path = os.path.join(self.dir.name, "set", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(bytes([i]) * (20000 + i))
        self.run_shoal("create", "set", "--format", "v1", "-o", "t", "--piece-size", "32K", "--quiet")

    def run_shoal(self, *args, code=0):
        done = subprocess.run([SHOAL, *args], cwd=self.dir.name, capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def chosen(self, *words):
        args = [a for w in words for a in ("--only", w)]
        done = self.run_shoal("get", "t", "-o", "out", "--state", "st", "--list", "--json", *args)
        files = [e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "file"]
        self.assertEqual([f["path"] for f in files], ["set/" + n for n in NAMES])
        self.assertEqual([f["number"] for f in files], [1, 2, 3, 4, 5])
        self.assertFalse(os.path.exists(os.path.join(self.dir.name, "out")))
        return [NAMES[f["number"] - 1] for f in files if f["chosen"]]

    def test_what_words_choose(self):
        self.assertEqual(self.chosen(), NAMES)
        self.assertEqual(self.chosen("*.mkv"), ["a.mkv", "b/a.mkv"])
        self.assertEqual(self.chosen("/*.mkv"), ["a.mkv"])
        self.assertEqual(self.chosen("b"), ["b/a.mkv", "b/c/d.txt"])
        self.assertEqual(self.chosen("b/**/*.txt", "@5"), ["b/c/d.txt", "z"])
        self.assertEqual(self.chosen("set/z"), ["z"])
        self.assertEqual(self.chosen("e \\[1\\].txt"), ["e [1].txt"])
        self.assertEqual(self.chosen("@1-2,4"), ["a.mkv", "b/a.mkv", "e [1].txt"])

    def test_the_list_for_people(self):
        done = self.run_shoal("get", "t", "--state", "st", "--list", "--only", "z")
        out = done.stdout
        self.assertNotIn("is known", done.stderr)  # nobody is needed for that
        self.assertIn("        1           20000  set/a.mkv\n", out)
        self.assertIn("*       5           20004  set/z\n", out)
        shown = self.run_shoal("show", "t", "--files").stdout
        self.assertIn("      5           20004  set/z\n", shown)

    def test_what_is_wrong_ends_at_once(self):
        for word, says in (("nothing", "no file of the torrent fits"), ("A.MKV", "no file"), ("@6", "no file"),
                           ("@0", "from 1 on"), ("@1-", "after @"), ("@", "no file"), ("[a", "no pattern"),
                           ("", "no pattern"), ("x\x1b[2J", "\\x1b")):
            done = self.run_shoal("get", "t", "-o", "out", "--state", "st", "--only", "*.mkv", "--only", word, code=2)
            self.assertIn(says, done.stderr, word)
            self.assertFalse(os.path.exists(os.path.join(self.dir.name, "out")))
        link = self.run_shoal("magnet", "t").stdout.strip()
        done = self.run_shoal("get", link + "&so=1-", "--state", "st", code=3)
        self.assertIn("so=", done.stderr)


if __name__ == "__main__":
    unittest.main()
