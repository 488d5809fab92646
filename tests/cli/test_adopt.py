"""test_adopt.py - the next version of a data set fetches what has changed; what lies there already is adopted, and nothing else touched."""
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import faultkit as kit  # noqa: E402

FILES = 100
CHANGED = range(3, FILES, 20)  # 5 of 100


class Versions:
    """Two versions of a data set, a torrent of each, and a seed of either when it is asked for."""
    count = 0
    piece = "16K"

    def __init__(self, work, form):
        Versions.count += 1
        self.work = work
        self.form = form
        self.host = f"127.3.0.{Versions.count}"
        rnd = random.Random(Versions.count)
        self.seeds = {}
        for v in "1.0", "1.1":
            os.makedirs(self.top(v))
        for i in range(FILES):
            data = rnd.randbytes(rnd.randint(60_000, 64_000))
            self.put("1.0", i, data)
            self.put("1.1", i, rnd.randbytes(len(data)) if i in CHANGED else data)
        for v in "1.0", "1.1":
            self.create(v)
        self.size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(self.top("1.1")) for f in fs)

    def create(self, v, *more):
        subprocess.run([kit.shoal_program(), "create", self.top(v), "-o", self.torrent(v), "--format", self.form, "--piece-size",
                        self.piece, "--quiet", "--force", *more], check=True)

    def top(self, v):
        return os.path.join(self.work, v, "set")

    def torrent(self, v):
        return os.path.join(self.work, v + ".torrent")

    def name(self, i):
        return f"{i % 7}/sample-{i}.bin"

    def put(self, v, i, data):
        path = os.path.join(self.top(v), self.name(i))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)

    def seed(self, v):
        if v in self.seeds:
            return self.seeds[v][0]
        address = f"{self.host}:{7000 + len(self.seeds)}"
        s = kit.Shoal(self.work, "seed", self.torrent(v), "-d", os.path.dirname(self.top(v)), "--listen", address,
                      state=os.path.join(self.work, "seed-" + v))
        self.seeds[v] = address, s
        s.wait_for("started")
        return address

    def magnet(self, v):
        return subprocess.run([kit.shoal_program(), "magnet", self.torrent(v)], check=True, capture_output=True, text=True).stdout.strip()

    def get(self, v, *more, out=None, state="state", code=0, what=None):
        g = kit.Shoal(self.work, "get", what or self.torrent(v), "-o", out or os.path.join(self.work, "got-" + v), "--peer", self.seed(v),
                      "--listen", f"{self.host}:0", "--timeout", "60", *more, state=os.path.join(self.work, state))
        got = g.wait(90)
        assert got == code, f"exit code {got}: {g.why()}"
        return g

    def same(self, v, out):
        done = subprocess.run(["diff", "-r", self.top(v), os.path.join(out, "set")], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def end(self):
        for _, s in self.seeds.values():
            s.kill()


class Case(unittest.TestCase):
    def versions(self, form):
        work = tempfile.mkdtemp(prefix="shoal-adopt-")
        self.addCleanup(shutil.rmtree, work)
        v = Versions(work, form)
        self.addCleanup(v.end)
        return v

    def moved(self, g):
        """Bytes that came from peers, and that were adopted."""
        end = g.last("summary")
        return end["downloaded"], end["adopted"]

    def next_version(self, v, **kw):
        """1.0, and 1.1 beside it: both are right. Its process, and what moved."""
        v.get("1.0")
        g = v.get("1.1", **kw)
        for w in "1.1", "1.0":
            v.same(w, os.path.join(v.work, "got-" + w))
        return g, *self.moved(g)


class NextVersion(Case):
    def five_percent(self, form):
        v = self.versions(form)
        g, came, adopted = self.next_version(v)
        print(f"{form}: {len(CHANGED)} of {FILES} files changed: {came / v.size:.2%} of the bytes moved, {adopted / v.size:.2%} adopted")
        self.assertLessEqual(came, 0.06 * v.size)
        self.assertEqual(came + adopted, v.size)
        said = g.last("adopted")
        self.assertEqual((said["from"], said["files"]), (os.path.realpath(os.path.join(v.work, "got-1.0")), FILES - len(CHANGED)))
        self.assertEqual(g.last("complete")["adopted"], adopted)

    def test_v2(self):
        self.five_percent("v2")

    def test_hybrid(self):
        self.five_percent("hybrid")

    def test_magnet(self):
        """Of v2 alone a magnet's metadata lacks the hashes of pieces: adopted first, and looked at when peers have told them."""
        for form in "v2", "hybrid":
            with self.subTest(form):
                v = self.versions(form)
                _, came, adopted = self.next_version(v, what=v.magnet("1.1"))
                self.assertLessEqual(came, 0.06 * v.size)
                self.assertEqual(came + adopted, v.size)

    def test_v1_by_name_and_size(self):
        """Files do not begin with a piece there, so those beside a change come again in part."""
        v = self.versions("v1")
        _, came, adopted = self.next_version(v)
        self.assertLessEqual(came, 0.08 * v.size)
        self.assertGreaterEqual(adopted, 0.92 * v.size)

    def test_v1_pieces_of_many_files(self):
        """A file that keeps its length, one that does not, small ones and a new one: what moves is theirs, not their pieces'."""
        v = self.versions("v1")
        v.piece = "1M"
        rnd = random.Random(7)
        for i in range(0, FILES, 4):
            data = rnd.randbytes(rnd.randint(1, 9000))
            for top in v.top("1.0"), v.top("1.1"):
                with open(os.path.join(top, v.name(i) + ".note"), "wb") as f:
                    f.write(data)
        v.put("1.1", CHANGED[0], rnd.randbytes(50_000))  # all behind it has moved
        with open(os.path.join(v.top("1.1"), "new"), "wb") as f:
            f.write(rnd.randbytes(5_000))
        for w in "1.0", "1.1":
            v.create(w)
        v.size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(v.top("1.1")) for f in fs)
        news = 5_000 + sum(os.path.getsize(os.path.join(v.top("1.1"), v.name(i))) for i in CHANGED)
        g, came, adopted = self.next_version(v)
        print(f"v1, 1 MiB: {news / v.size:.2%} is new, {came / v.size:.2%} of the bytes moved, {adopted / v.size:.2%} adopted")
        self.assertEqual(came + adopted, v.size)
        self.assertLessEqual(came, news + (len(CHANGED) + 1) * 2 * 16384)
        end = g.last("summary")
        self.assertEqual((end["wasted"], end["hash_failures"]), (0, 0))
        self.assertGreater(g.last("adopted")["waiting"], 0)
        # One that is too small to have a record is found beside those that are whole.
        os.unlink(os.path.join(v.work, "got-1.1", "set", v.name(8) + ".note"))
        self.assertEqual(self.moved(v.get("1.1"))[0], 0)
        v.same("1.1", os.path.join(v.work, "got-1.1"))

    def test_v1_by_hints(self):
        """Its file has another name, in the folder of a torrent that is called similar, or is of the same collection."""
        for hint in "similar", "collection":
            with self.subTest(hint):
                v = self.versions("v1")
                os.rename(os.path.join(v.top("1.1"), v.name(8)), os.path.join(v.top("1.1"), "renamed"))
                args = ["--similar", v.torrent("1.0")] if hint == "similar" else ["--collection", "c"]
                v.create("1.1", *args)
                if hint == "collection":
                    v.create("1.0", *args)
                v.get("1.0")
                came, adopted = self.moved(v.get("1.1"))
                v.same("1.1", os.path.join(v.work, "got-1.1"))
                self.assertLessEqual(came, 0.09 * v.size)
                if hint == "collection":
                    continue
                plain = self.versions("v1")
                os.rename(os.path.join(plain.top("1.1"), plain.name(8)), os.path.join(plain.top("1.1"), "renamed"))
                plain.create("1.1")
                plain.get("1.0")
                self.assertGreater(self.moved(plain.get("1.1"))[0], came)

    def test_stopped_in_the_midst(self):
        """^C and kill -9 at any moment of it: the next one adopts the rest."""
        self.stopped("hybrid", "16K", 0.06)

    def test_stopped_with_pieces_of_many_files(self):
        self.stopped("v1", "512K", 0.08)

    def stopped(self, form, piece, most):
        v = self.versions(form)
        v.piece = piece
        for w in "1.0", "1.1":
            v.create(w)
        v.get("1.0")
        out = os.path.join(v.work, "got-1.1")
        for i, wait in enumerate((0.01, 0.02, 0.03, 0.05, 0.08)):
            g = kit.Shoal(v.work, "get", v.torrent("1.1"), "-o", out, "--listen", f"{v.host}:0", state=os.path.join(v.work, "state"))
            time.sleep(wait)
            if i % 2:
                g.kill()
            else:
                self.assertIn(g.stop(4), (130, -signal.SIGTERM))
        came, _ = self.moved(v.get("1.1"))
        v.same("1.1", out)
        self.assertLessEqual(came, most * v.size)

    def test_off(self):
        v = self.versions("v2")
        v.get("1.0")
        g = v.get("1.1", "--adopt", "off")
        self.assertEqual(self.moved(g), (v.size, 0))
        self.assertIsNone(g.last("adopted"))

    def test_a_folder_that_is_named(self):
        """Without any record: by size and name, one of them under another name."""
        v = self.versions("hybrid")
        shutil.move(os.path.join(v.top("1.0"), v.name(8)), os.path.join(v.top("1.0"), "another-name"))
        g = v.get("1.1", "--adopt-from", os.path.dirname(v.top("1.0")), state="fresh")
        came, _ = self.moved(g)
        v.same("1.1", os.path.join(v.work, "got-1.1"))
        self.assertLessEqual(came, 0.06 * v.size)
        self.assertTrue(os.path.exists(os.path.join(v.top("1.0"), "another-name")))

    def test_a_candidate_that_has_changed_is_fetched(self):
        """Its size is the old one and its bytes are not: what is wrong of it comes from peers, and it is left alone."""
        v = self.versions("v2")
        v.get("1.0")
        path = os.path.join(v.work, "got-1.0", "set", v.name(8))
        with open(path, "r+b") as f:
            f.seek(20_000)
            f.write(b"mine")
        with open(path, "rb") as f:
            mine = f.read()
        came, adopted = self.moved(v.get("1.1"))
        v.same("1.1", os.path.join(v.work, "got-1.1"))
        with open(path, "rb") as f:
            self.assertEqual(f.read(), mine)
        self.assertEqual(came + adopted, v.size)
        self.assertGreater(came, 0.05 * v.size)
        self.assertLessEqual(came, 0.06 * v.size)

    def test_a_hard_link_is_never_written_to(self):
        """Both names are one file, until one of them needs other bytes."""
        v = self.versions("v2")
        v.get("1.0")
        g = v.get("1.1", "--adopt", "link")
        came, adopted = self.moved(g)
        self.assertEqual(g.last("adopted")["how"], "link")
        self.assertLessEqual(came, 0.06 * v.size)
        names = [os.path.join(v.work, "got-" + w, "set", v.name(8)) for w in ("1.0", "1.1")]
        self.assertTrue(os.path.samefile(*names))
        with open(names[0], "r+b") as f:
            f.seek(20_000)
            f.write(b"mine")
        v.get("1.1")
        v.same("1.1", os.path.join(v.work, "got-1.1"))
        self.assertFalse(os.path.samefile(*names))
        with open(names[0], "rb") as f:
            f.seek(20_000)
            self.assertEqual(f.read(4), b"mine")
        self.assertEqual([n for n in os.listdir(os.path.dirname(names[1])) if "~" in n], [])

    def test_a_link_to_what_is_wrong_in_part(self):
        """It is linked before it is hashed; what is mended then is a file of our own."""
        v = self.versions("v2")
        v.get("1.0")
        name = os.path.join(v.work, "got-1.0", "set", v.name(8))
        with open(name, "r+b") as f:
            f.seek(20_000)
            f.write(b"mine")
        v.get("1.1", "--adopt", "link")
        v.same("1.1", os.path.join(v.work, "got-1.1"))
        with open(name, "rb") as f:
            f.seek(20_000)
            self.assertEqual(f.read(4), b"mine")

    def test_wrong_words(self):
        done = subprocess.run([kit.shoal_program(), "get", "x", "--adopt", "steal"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("auto|reflink|link|copy|off", done.stderr)
        done = subprocess.run([kit.shoal_program(), "get", "a" * 40, "--adopt-from", "/no/such"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--adopt-from /no/such: No such file", done.stderr)


class Hints(Case):
    """BEP 38: written beside the info dictionary, shown, and changing no info hash."""

    def made(self, work, name, *more):
        path = os.path.join(work, name)
        subprocess.run([kit.shoal_program(), "create", os.path.join(work, "set"), "-o", path, "--no-date", "--quiet", *more], check=True)
        done = subprocess.run([kit.shoal_program(), "show", path, "--json"], check=True, capture_output=True, text=True)
        return path, json.loads(done.stdout)

    def test_written_and_shown(self):
        work = tempfile.mkdtemp(prefix="shoal-adopt-")
        self.addCleanup(shutil.rmtree, work)
        kit.tree(os.path.join(work, "set"), {"a": 5, "b/c": 70_000}, 1)
        plain, bare = self.made(work, "1", "--format", "hybrid")
        two, v2 = self.made(work, "2", "--format", "v2")
        _, got = self.made(work, "3", "--format", "hybrid", "--similar", plain, "--similar", two, "--similar", "A" * 40, "--collection", "set.1",
                           "--collection", "set")
        self.assertEqual(got["similar"], [bare["infohash_v1"], v2["infohash_v2"][:40], "a" * 40])
        self.assertEqual(got["collections"], ["set.1", "set"])
        self.assertEqual((bare["similar"], bare["collections"]), ([], []))
        self.assertEqual(got["infohash_v2"], bare["infohash_v2"])
        text = subprocess.run([kit.shoal_program(), "show", os.path.join(work, "3")], check=True, capture_output=True, text=True).stdout
        self.assertIn(f"similar   {bare['infohash_v1']}\n", text)
        self.assertIn("in        set.1\n", text)
        for wrong in ("--similar", "/no/such"), ("--collection", ""), ("--collection", "x" * 256):
            done = subprocess.run([kit.shoal_program(), "create", os.path.join(work, "set"), "-o", "-", *wrong], capture_output=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertEqual(done.stdout, b"")


class FilesOfOthers(Case):
    """What lies under a final name and is not from us is filled in where it lacks bytes, and never replaced unasked."""

    def fetch(self, v, *more, code=0):
        return v.get("1.1", *more, out=v.out, code=code)

    def versions(self, form):
        v = super().versions(form)
        v.out = os.path.join(v.work, "mine")
        os.makedirs(os.path.join(v.out, "set", "1"))
        v.path = os.path.join(v.out, "set", v.name(8))
        with open(os.path.join(v.top("1.1"), v.name(8)), "rb") as f:
            v.right = f.read()
        return v

    def lay(self, v, data):
        with open(v.path, "wb") as f:
            f.write(data)

    def read(self, v):
        with open(v.path, "rb") as f:
            return f.read()

    def refused(self, data, form):
        v = self.versions(form)
        self.lay(v, data(v.right))
        before = os.stat(v.path)
        g = self.fetch(v, code=6)
        said = g.last("error")["what"]
        self.assertIn("set/1/sample-8.bin was there before and holds other bytes", said)
        self.assertIn("--overwrite", said)
        self.assertEqual(self.read(v), data(v.right))
        self.assertEqual(os.stat(v.path).st_mtime_ns, before.st_mtime_ns)
        self.fetch(v, "--overwrite")
        v.same("1.1", v.out)

    def test_another_file_of_that_size(self):
        for form in "v1", "hybrid":
            with self.subTest(form):
                self.refused(lambda right: bytes(b ^ 1 for b in right), form)

    def test_another_file_that_is_shorter(self):
        self.refused(lambda right: b"my notes, which are mine", "v2")

    def test_one_that_was_edited(self):
        """Most of it is right: refused when the first byte would be lost, and not before."""
        self.refused(lambda right: right[:40_000] + b"edited" + right[40_006:], "hybrid")

    def test_a_second_start_is_refused_as_well(self):
        v = self.versions("v2")
        self.lay(v, b"mine" + v.right[4:])
        for _ in range(3):
            self.fetch(v, code=6)
            self.assertEqual(self.read(v), b"mine" + v.right[4:])

    def test_a_download_of_another_program_goes_on(self):
        """Its blocks are there or zeros, here and there within a piece."""
        for form in "v1", "v2":
            with self.subTest(form):
                v = self.versions(form)
                self.lay(v, v.right[:40_000] + bytes(10_000) + v.right[50_000:])
                g = self.fetch(v)
                v.same("1.1", v.out)
                self.assertLess(g.last("summary")["downloaded"], v.size)

    def test_a_copy_that_broke_off_goes_on(self):
        v = self.versions("hybrid")
        self.lay(v, v.right[:50_000])
        self.fetch(v)
        v.same("1.1", v.out)

    def test_what_is_ours_is_mended(self):
        v = self.versions("v2")
        self.fetch(v)
        self.lay(v, bytes(b ^ 1 for b in v.right))
        self.fetch(v)
        v.same("1.1", v.out)


kit.inside()
if __name__ == "__main__":
    unittest.main(verbosity=1)
