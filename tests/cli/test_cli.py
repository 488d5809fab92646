"""test_cli.py - the program as a user sees it: exit codes, golden output, damaged data, hostile names. No network."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from torrents import bdecode, bencode, info_of, v1_of, v2_of  # noqa: E402

SHOAL = os.environ.get("SHOAL", "shoal")
NOBODY = 65534


class Case(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="shoal-cli-")
        os.chmod(self.dir, 0o755)
        self.env = {"PATH": "/usr/bin:/bin", "HOME": self.dir, "LC_ALL": "C"}
        self.env.update({k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")})

    def tearDown(self):
        subprocess.run(["chmod", "-R", "u+rwX", self.dir], check=False)
        shutil.rmtree(self.dir)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def put(self, name, data=b""):
        full = os.path.join(os.fsencode(self.dir), name if isinstance(name, bytes) else os.fsencode(name))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as f:
            f.write(data)
        return os.fsdecode(full)

    def get(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def shoal(self, *args, code=0, stdin=None, user=None):
        """Runs it, demands an exit code; stdout and stderr as text. No raw escape may ever come out."""
        done = subprocess.run([SHOAL, *args], cwd=self.dir, env=self.env, capture_output=True, timeout=60, input=stdin,
                              preexec_fn=None if user is None else lambda: os.setuid(user), check=False)
        self.assertEqual(done.returncode, code, (args, done.stdout[-2000:], done.stderr[-2000:]))
        self.raw = done.stdout
        self.err = done.stderr.decode()
        self.assertNotIn("\x1b", self.err)
        self.out = done.stdout.decode(errors="replace")
        return self.out

    def lines(self, *args, code=0):
        """With --json: its lines as objects."""
        self.shoal(*args, "--json", code=code)
        self.assertNotIn(b"\x1b", self.raw)
        return [json.loads(line) for line in self.raw.splitlines()]

    def create(self, *args):
        """The event of a torrent that was made."""
        (event,) = [e for e in self.lines("create", *args) if e["event"] == "created"]
        return event

    def last_error(self):
        """The one line that says what is wrong; remarks before it aside."""
        lines = [line for line in self.err.splitlines() if "warning:" not in line and "v2 alone:" not in line]
        self.assertEqual(len(lines), 1, self.err)
        return lines[0]


class Usage(Case):
    def test_what_cannot_be_written_is_no_success(self):
        self.put("set/a", b"x" * 40000)
        self.shoal("create", "set", "-o", "t")
        os.makedirs(self.path("st"))
        for args in (["--help"], ["--version"], ["show", "t"], ["show", "t", "--files"], ["magnet", "t"], ["verify", "t"],
                     ["create", "set", "-o", "other"], ["create", "set", "-o", "-"], ["create", "set", "--dry-run"],
                     ["get", "--help"], ["lab", "example"], ["lab", "example", "--fields"], ["show", "t", "--json"],
                     ["get", "t", "--list", "--state", "st", "--no-dht", "--no-lsd", "--no-portmap", "--listen", "127.0.0.1:0"]):
            with self.subTest(args), open("/dev/full", "wb") as full:
                done = subprocess.run([SHOAL, *args], cwd=self.dir, env=self.env, stdout=full, stderr=subprocess.PIPE, text=True,
                                      timeout=60, check=False)
                self.assertEqual(done.returncode, 4, done.stderr)
                # (What was lost before the end, as its buffer was full, has left no reason.)
                self.assertEqual(len(re.findall("cannot write to stdout: (?:No space left|Input/output)", done.stderr)), 1, done.stderr)

    def test_help_and_version(self):
        self.assertRegex(self.shoal("--version"), r"^shoal \d+\.\d+\.\d+\n$")
        self.assertIn("commands:", self.shoal("--help"))
        for command in ("create", "show", "magnet", "verify", "seed", "get", "dht", "reputation", "explain"):
            text = self.shoal(command, "--help")
            self.assertTrue(text.startswith(f"usage: shoal {command} "), text)
            self.assertIn("examples:", text)
            self.assertIn("--json", text)
            self.assertLessEqual(max(map(len, text.splitlines())), 110)
            self.assertEqual(self.shoal("help", command), text)
            for line in text.splitlines():  # what an option takes never runs into what it is for
                self.assertNotRegex(line, r"^ {2,6}(-., )?--[a-z-]+ \S+\|\S+ \S")
        self.assertIn("--dht-node", self.shoal("dht", "--help"))
        self.assertNotIn("--max-peers", self.shoal("dht", "--help"))  # taken, and of no effect

    def test_wrong_usage_exits_2_and_names_it(self):
        for args, words in (
            ([], "usage:"),
            (["nonsense"], "unknown command nonsense"),
            (["--nonsense"], "unknown option --nonsense"),
            (["dht", "ping", "--max-peers", "3"], "ping needs a HOST:PORT"),
            (["dht", "ping", "one:1", "two:2"], "ping takes one argument, not also two:2"),
            (["get"], "is needed"),
            (["get", "a", "b"], "is needed"),
            (["create"], "PATH is needed"),
            (["show", "x", "--nonsense"], "unknown option --nonsense"),
            (["show", "-z", "x"], "unknown option -z"),
            (["show", "x", "--tracker", "udp://t:1"], "go with --scrape"),
            (["get", "x", "--peer"], "--peer needs a value"),
            (["get", "x", "--peer", "nowhere"], "--peer nowhere"),
            (["get", "x", "--up", "fast"], "--up fast"),
            (["get", "x", "--listen", "1.2.3.4"], "--listen 1.2.3.4"),
            (["get", "x", "--encryption", "rot13"], "off|allow|require"),
            (["get", "x", "--json=1"], "--json takes no value"),
            (["create", ".", "--format", "v3"], "hybrid|v2|v1"),
            (["create", ".", "--tracker", "nowhere"], "not a URL"),
            (["create", ".", "--piece-size", "20K"], "power of two"),
            (["seed", "magnet:?xt=urn:btih:" + "a" * 40], "cannot be seeded"),
            (["seed", "x", "-o", "-"], "-o wants a file"),
            (["get", "a" * 40, "--memory", "1M"], "--memory: less than 8M will not do"),
            (["magnet", "a" * 40], "torrent file is needed"),
            (["get", "--\x1b[31m"], "\\x1b[31m"),
            (["dht"], "a command is needed;"), (["reputation"], "a command is needed;"), (["dht", "frob"], "unknown command frob"),
            (["dht", "ping"], "ping needs a HOST:PORT"), (["dht", "ping", "router.example"], "ping needs a HOST:PORT"),
            (["dht", "get", "--key", "12"], "64 hex digits"),
            (["dht", "ping", "h:1", "--no-dht"], "nothing to ask"),
        ):
            with self.subTest(args):
                self.put("x", b"x")
                self.shoal(*args, code=2)
                self.assertIn(words, self.err)

    def test_what_is_not_built_exits_2_and_names_itself(self):
        for args, words in (
            (["lab", "compare"], "a TORRENT or DIR is needed"), (["node"], "node is not"), (["explain"], "one FILE is needed"),
            (["explain", "x", "--time", "4..3"], "--time takes A..B"), (["explain", "x", "--time", ".."], "--time takes A..B"),
        ):
            with self.subTest(args):
                self.shoal(*args, code=2)
                self.assertIn(words, self.err)

    def test_a_proxy_must_be_one(self):
        self.put("x", b"x")
        for url in ("ftp://h:1", "h:1", "socks5://", "http://h:0", "socks5://h:1/path"):
            with self.subTest(url):
                self.shoal("seed", "x", "--proxy", url, code=2)
                self.assertIn("--proxy wants socks5://", self.err)
        self.shoal("seed", "x", "--proxy", "socks5://h:1", "--no-tcp", code=2)  # no proxy carries uTP

    def test_one_way_to_reach_peers_must_be_left(self):
        self.put("x", b"x")
        self.shoal("seed", "x", "--no-utp", "--no-tcp", code=2)
        self.assertIn("--no-utp and --no-tcp", self.err)

    def test_switching_off_what_is_not_built_is_fine(self):
        off = ["--no-dht", "--no-lsd", "--no-pex", "--no-trackers", "--no-portmap", "--no-utp", "--encryption", "off",
               "--engine", "native"]
        for command in ("get", "seed"):
            self.shoal(command, "missing.torrent", *off, code=3)  # the options are good; the file is not
            self.assertIn("missing.torrent", self.last_error())


def sample(case, top="set"):
    """A folder whose torrent is known."""
    case.put(f"{top}/b.bin", bytes(range(256)) * 300)  # 76,800 bytes
    case.put(f"{top}/a/one", b"1")
    case.put(f"{top}/a.txt", b"text\n" * 5000)  # 25,000 bytes
    case.put(f"{top}/zero")
    return {"a/one": b"1", "a.txt": b"text\n" * 5000, "b.bin": bytes(range(256)) * 300, "zero": b""}


class Create(Case):
    def check(self, raw, files, name, piece, v1, v2):
        """A torrent of `files` (in order) against this file's own hashing."""
        info, outer = bdecode(info_of(raw)), bdecode(raw)
        stream = b""
        self.assertEqual(info[b"name"], name)
        self.assertEqual(info[b"piece length"], piece)
        layers = {}
        for path, data in files.items():
            if v2 and data:
                node = info[b"file tree"]
                for part in path.split("/"):
                    node = node[part.encode()]
                root, layer = v2_of(data, piece)
                self.assertEqual(node[b""], {b"length": len(data), b"pieces root": root})
                if layer:
                    layers[root] = b"".join(layer)
            if v2 and v1:
                stream += bytes(-len(stream) % piece)
            stream += data
        if v2 and v1 and len(files) > 1:
            stream += bytes(-len(stream) % piece)
        if v2:
            self.assertEqual(outer[b"piece layers"], layers)
        if v1:
            self.assertEqual(info[b"pieces"], v1_of(stream, piece))
            listed = [(b"/".join(f[b"path"]).decode(), f[b"length"]) for f in info[b"files"] if b"p" not in f.get(b"attr", b"")]
            self.assertEqual(listed, [(path, len(data)) for path, data in files.items()])
            self.assertEqual(sum(f[b"length"] for f in info[b"files"]), len(stream))

    def test_every_format_against_another_hasher(self):
        files = sample(self)
        for form in ("v1", "v2", "hybrid"):
            for piece in (16384, 32768):
                with self.subTest((form, piece)):
                    event = self.create("set", "-o", "t", "--force", "--format", form, "--piece-size", str(piece))
                    raw = self.get("t")
                    self.check(raw, files, b"set", piece, form != "v2", form != "v1")
                    self.assertEqual((event["event"], event["format"], event["size"], event["files"]), ("created", form, 101801, 4))
                    if form != "v2":
                        self.assertEqual(event["infohash_v1"], hashlib.sha1(info_of(raw)).hexdigest())
                    if form != "v1":
                        self.assertEqual(event["infohash_v2"], hashlib.sha256(info_of(raw)).hexdigest())

    def test_one_file(self):
        data = os.urandom(100000)
        self.put("data.bin", data)
        self.shoal("create", "data.bin", "--format", "hybrid", "--threads", "3")
        raw = self.get("data.bin.torrent")
        info = bdecode(info_of(raw))
        self.assertEqual(info[b"length"], 100000)
        self.assertEqual(info[b"pieces"], v1_of(data, info[b"piece length"]))
        root, _ = v2_of(data, info[b"piece length"])
        self.assertEqual(info[b"file tree"][b"data.bin"][b""][b"pieces root"], root)

    def test_golden(self):
        sample(self)
        out = self.shoal("create", "set", "--format", "hybrid", "--no-date", "--tracker", "http://t.example/a,udp://u.example:1",
                         "--tracker", "http://v.example/a", "--webseed", "http://w.example/", "--comment", "gr\u00fc\u00df",
                         "--source", "here", "--private", "--node", "n.example:6881")
        self.assertIn("set.torrent: 99 KiB in 4 files, 8 pieces of 16 KiB, hybrid\n", out)
        self.assertIn("  v1      " + GOLDEN_V1 + "\n", out)
        self.assertIn("  v2      " + GOLDEN_V2 + "\n", out)
        raw = bdecode(self.get("set.torrent"))
        self.assertNotIn(b"creation date", raw)
        self.assertEqual(raw[b"announce-list"], [[b"http://t.example/a", b"udp://u.example:1"], [b"http://v.example/a"]])
        self.assertEqual(raw[b"comment"], "gr\u00fc\u00df".encode())

    def test_same_bytes_same_hash(self):
        files = sample(self)
        for path in reversed(list(files)):  # another order of making, other times, other modes
            full = self.put(f"other/set/{path}", files[path])
            os.utime(full, (1, 1))
            os.chmod(full, 0o755)
        for form in ("hybrid", "v1"):
            one = self.create("set", "--force", "--format", form)
            two = self.create("other/set/../set/", "--force", "--format", form, "-o", "two.torrent", "--threads", "1")
            self.assertEqual(one["infohash_v1"], two["infohash_v1"])
            self.assertEqual(one.get("infohash_v2"), two.get("infohash_v2"))

    def test_what_is_left_out_is_told(self):
        self.put("set/file", b"x")
        os.symlink("file", self.path("set/link"))
        os.mkfifo(self.path("set/pipe"))
        os.makedirs(self.path("set/empty"))
        event = self.create("set")
        self.assertEqual(event["left_out"], {"symlinks": 1, "special": 1, "empty_folders": 1, "excluded": 0})
        for words in ("link (symlink)", "pipe (device, socket or pipe)", "empty (empty folder)"):
            self.assertIn("left out: " + words, self.err)

    def test_small_files_make_v2(self):
        for i in range(20):
            self.put(f"many/{i}", b"x" * 100)
        self.assertIn(", v2\n", self.shoal("create", "many"))
        self.assertIn("v2 alone: a hybrid would add more than 10 % of padding", self.err)

    def test_output(self):
        sample(self)
        self.shoal("create", "set", "--no-date")
        self.shoal("create", "set", code=4)
        self.assertIn("set.torrent is there already; --force replaces it", self.last_error())
        before = self.get("set.torrent")
        self.shoal("create", "set", "--force", "--no-date", "--comment", "x")
        self.assertNotEqual(self.get("set.torrent"), before)
        self.shoal("create", "set", "--no-date", "-o", "-")
        self.assertEqual(self.raw, before)
        self.shoal("create", "set", "-o", "no/such/dir/t", code=4)
        self.shoal("create", "set", "-o", "-", "--json", code=2)
        self.assertEqual([n for n in os.listdir(self.dir) if "tmp" in n], [])

    def test_nothing_to_make_one_of(self):
        os.makedirs(self.path("empty/sub"))
        for path, code, words in (("missing", 3, "No such file"), ("empty", 3, "not one file"),
                                  ("/dev/null", 3, "neither a file nor a folder"), ("", 3, "No such file")):
            with self.subTest(path):
                self.shoal("create", path, "-o", "t", code=code)
                self.assertIn(words, self.last_error())
                self.assertFalse(os.path.exists(self.path("t")))

    def test_unreadable(self):
        user = NOBODY if os.geteuid() == 0 else None
        os.makedirs(self.path("out"))
        os.chmod(self.path("out"), 0o777)
        self.put("set/a", b"x")
        self.put("set/dark", b"x")
        os.chmod(self.path("set/dark"), 0)
        self.shoal("create", "set", "-o", "out/t", code=4, user=user)
        self.assertIn("dark: cannot be read: Permission denied; --exclude leaves it out", self.last_error())
        os.chmod(self.path("set/dark"), 0o644)
        os.makedirs(self.path("set/closed"))
        os.chmod(self.path("set/closed"), 0)
        self.shoal("create", "set", "-o", "out/t", code=4, user=user)
        self.assertIn("closed: cannot be read: Permission denied", self.last_error())
        # Nothing of it was looked at when there is no place for what would come of it.
        for verb in "create", "seed":
            self.shoal(verb, "set", "-o", "no/such/t", code=4, user=user)
            self.assertIn("no/such/t: cannot be written: No such file", self.last_error())
            self.shoal(verb, "set", "-o", "t", code=4, user=user)
            self.assertIn("t: cannot be written: Permission denied", self.last_error())
            self.put("out/t", b"x")
            self.shoal(verb, "set", "-o", "out/t", code=4, user=user)
            self.assertIn("out/t is there already; --force replaces it", self.last_error())
            for force in [], ["--force"]:  # that replaces no folder
                self.shoal(verb, "set", "-o", "out", *force, code=4)
                self.assertIn("out: cannot be written: Is a directory", self.last_error())


class Stopped(Case):
    def test_whoever_stops_it_while_it_hashes_is_told(self):
        """Holes are hashed at no cost but their number: two million pieces of nothing."""
        with open(self.path("holes"), "wb") as f:
            f.truncate(32 << 30)
        self.put("known", bencode({b"info": {b"length": 32 << 30, b"name": b"holes", b"piece length": 16384,
                                             b"pieces": bytes(20 * (2 << 20))}}))
        small, made = ["--format", "v2", "--piece-size", "16K"], "stopped while hashing; no torrent is made"
        for args, words in ((["create", "holes", "-o", "t", *small], made), (["seed", "holes", "--state", "st", *small], made),
                            (["verify", "known"], "stopped before all of it was checked")):
            with self.subTest(args):
                p = subprocess.Popen([SHOAL, *args], cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     text=True)
                end = time.monotonic() + 30
                while p.poll() is None and not self.heeds(p.pid, signal.SIGINT) and time.monotonic() < end:
                    time.sleep(0.01)
                p.send_signal(signal.SIGINT)
                out, err = p.communicate(timeout=30)
                self.assertEqual(p.returncode, 130, err)
                self.assertIn(f"shoal {args[0]}: {words}\n", err)
                self.assertEqual(out, "")
                self.assertFalse(os.path.exists(self.path("t")))

    def seed(self, path, **how):
        """Until it says where it is to be had."""
        p = subprocess.Popen([SHOAL, "seed", path, "--state", "st", "--no-dht", "--no-lsd", "--no-portmap", "--listen", "127.0.0.1:0"],
                             cwd=self.dir, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
        said = ""
        while "magnet:" not in said and p.poll() is None:
            said += p.stdout.readline()
        self.assertIn("magnet:", said)
        return p, said

    def test_a_folder_of_one_file_is_seeded(self):
        """v2 alone, as a hybrid would be mostly padding, is a torrent of that file without a folder."""
        for size in 5, 400000:
            self.put(f"one-{size}/a", b"x" * size)
            p, said = self.seed(f"one-{size}")
            self.assertIn(f"from {os.path.realpath(self.path('one-5' if size == 5 else ''))}".rstrip("/") + "\n", said)
            p.terminate()
            p.communicate(timeout=30)
            self.assertEqual(p.returncode, 0)

    def test_nohup_is_heeded(self):
        self.put("set/a", b"x" * 400000)
        p, _ = self.seed("set", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        p.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.assertIsNone(p.poll())
        p.terminate()
        p.communicate(timeout=30)
        self.assertEqual(p.returncode, 0)

    @staticmethod
    def heeds(pid, number):
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            caught = next(line for line in f if line.startswith("SigCgt"))
        return int(caught.split()[1], 16) >> (number - 1) & 1


class Lint(Case):
    """What create warns of, by name; allow, deny; --dry-run; --exclude."""

    def found(self, *args, code=0):
        """The names of what was warned of."""
        self.shoal("create", *args, "--force", code=code)
        return re.findall(r"warning: .* \[([a-z0-9-]+)(?:, denied)?\]", self.err)

    def test_each_one_by_what_brings_it_about(self):
        self.put("plain/a", b"x" * 20000)
        twin = b"y" * 49152
        good = ["--tracker", "http://t.example/announce"]
        for files, args, want in (
                ({"a": twin}, good, []),
                ({"a": twin}, good + ["--format", "v2"], ["v2-only"]),
                ({"a": b"x", "b": b"y"}, ["--format", "hybrid"], ["padding"]),
                ({"a": twin}, ["--piece-size", "32M", "--format", "v1"], ["large-piece-length"]),
                ({"a": b"", "b": b""}, [], ["empty"]),
                ({b"caf\xc3\xa9": twin, b"CAFE\xcc\x81": twin[1:]}, ["--format", "v1"], ["colliding-names"]),
                ({"a": twin, "A": twin[1:]}, ["--format", "v1"], ["colliding-names"]),
                ({b"\xff": twin}, [], ["not-utf8"]),
                ({"a?": twin}, [], ["windows-name"]),
                ({"Com1.txt": twin}, [], ["windows-name"]),
                ({"ends.": twin}, [], ["windows-name"]),
                ({"command": twin}, [], []),
                ({"n" * 144: twin}, [], ["long-name"]),
                ({"d/" * 52 + "a": twin}, [], ["deep-path"]),
                ({".DS_Store": twin}, [], ["junk"]),
                ({"a": twin, "b": twin}, ["--format", "hybrid", "--allow", "padding"], ["duplicates"]),
                ({"a": twin}, ["--private"], ["private-trackerless"]),
                ({"a": twin}, good + ["--private", "--node", "n.example:1"], ["private-nodes"]),
                ({"a": twin}, ["--tracker", "htp://t.example/announce"], ["tracker-url"]),
                ({"a": twin}, ["--tracker", "udp://t.example/announce"], ["tracker-url"]),
                ({"a": twin}, ["--tracker", "http://t.example"], ["tracker-url"]),
                ({"a": twin}, ["--tracker", "http:///announce"], ["tracker-url"]),
                ({"a": twin}, ["--tracker", "http://t.example/ann ounce"], ["tracker-url"]),
                ({"a": twin}, ["--tracker", "http://0x7f.1/announce"], ["tracker-url"]),
                ({"a": twin}, ["--tracker", "udp://[2001:db8::1]:6969"], []),
                ({"a": twin}, ["--webseed", "http://w.example/set"], ["webseed-url"]),
                ({"a": twin}, ["--webseed", "https://w.example/"], [])):
            with self.subTest(files=list(files), args=args):
                shutil.rmtree(self.path("set"), ignore_errors=True)
                for name, data in files.items():
                    self.put(b"set/" + (name if isinstance(name, bytes) else name.encode()), data)
                planned = self.found("set", *args, "--dry-run")
                self.assertEqual(self.found("set", *args), want)
                self.assertEqual(planned, [w for w in want if w != "duplicates"])
                (shown,) = self.lines("show", "set.torrent")
                silent = [a for a in args if a == "padding"]  # --allow is the maker's wish, not in the torrent
                if "tracker-url" in want and not shown["trackers"]:
                    want = []  # the parser has dropped what is no URL of ours
                self.assertEqual([w for w in shown["lints"] if w not in silent], want)
                self.assertEqual(len(shown["warnings"]), len(shown["lints"]))

    def test_allow_and_deny(self):
        self.put("set/a?", b"x" * 49152)
        self.assertEqual(self.found("set", "--private", "--allow", "windows-name"), ["private-trackerless"])
        self.assertEqual(self.found("set", "--private", "--allow", "all"), [])
        os.remove(self.path("set.torrent"))
        self.assertEqual(self.found("set", "--deny", "windows-name", code=6), ["windows-name"])
        self.assertIn("--deny refuses", self.err)
        self.assertFalse(os.path.exists(self.path("set.torrent")))
        self.found("set", "--deny", "all", code=6)
        self.found("set", "--deny", "all", "--allow", "windows-name")
        self.found("set", "--deny", "windows-name", "--allow", "all", code=6)
        self.found("set", "--deny", "padding")
        self.shoal("create", "set", "--deny", "nonsense", "--force", code=2)
        self.assertIn("no such lint", self.last_error())
        self.assertIn("private-trackerless", self.last_error())

    def test_duplicates_are_denied_once_they_are_known(self):
        self.put("set/a", b"x" * 16384)
        self.put("set/b", b"x" * 16384)
        self.assertEqual(self.found("set", "--deny", "duplicates", code=6), ["duplicates"])
        self.assertFalse(os.path.exists(self.path("set.torrent")))

    def test_a_dry_run_says_what_comes_of_it(self):
        sample(self)
        for form in ("v1", "v2", "hybrid"):
            for extra in ([], ["--private", "--source", "s", "--comment", "c", "--tracker", "http://a.example/x,udp://b.example:1",
                               "--tracker", "http://c.example/y", "--webseed", "http://w.example/", "--node", "n.example:99"]):
                with self.subTest(form=form, extra=bool(extra)):
                    args = ["set", "--format", form, "--no-date", *extra]
                    (plan,) = [e for e in self.lines("create", *args, "-n") if e["event"] == "planned"]
                    self.assertFalse(os.path.exists(self.path("set.torrent")))
                    made = self.create(*args)
                    (shown,) = self.lines("show", "set.torrent")
                    self.assertEqual({k: plan[k] for k in ("size", "files", "format", "pieces", "piece_size")},
                                     {k: made[k] for k in ("size", "files", "format", "pieces", "piece_size")})
                    self.assertEqual(plan["metadata_size"], shown["metadata_size"])
                    self.assertEqual(plan["torrent_size"], os.path.getsize(self.path("set.torrent")))
                    self.assertEqual(plan["padding"], 8 * 16384 - 101801 if form == "hybrid" else 0)
                    os.remove(self.path("set.torrent"))
        os.chmod(self.path("set/a.txt"), 0)  # nothing is opened
        self.shoal("create", "set", "-n", user=NOBODY if os.geteuid() == 0 else None)

    def test_exclude(self):
        for name in ("a.txt", "b.tmp", "sub/c.txt", "sub/d.tmp", "cache/e", "x/cache/f", "x/cache2", ".hidden", "Thumbs.db"):
            self.put("set/" + name, name.encode())
        for args, gone in (([], []),
                           (["*.tmp"], ["b.tmp", "sub/d.tmp"]),
                           (["cache/"], ["cache/e", "x/cache/f"]),
                           (["cache*"], ["cache/e", "x/cache/f", "x/cache2"]),
                           (["sub/*.txt"], ["sub/c.txt"]),
                           (["/cache"], ["cache/e"]),
                           ([".*", "x"], [".hidden", "x/cache/f", "x/cache2"])):
            with self.subTest(args):
                self.create("set", "--force", *[a for glob in args for a in ("--exclude", glob)])
                (shown,) = self.lines("show", "set.torrent", "--files")
                files = {f["path"][4:] for f in shown["files"]}
                self.assertEqual({"a.txt", "b.tmp", "sub/c.txt", "sub/d.tmp", "cache/e", "x/cache/f", "x/cache2", ".hidden",
                                  "Thumbs.db"} - files, set(gone))
        self.assertEqual(self.create("set", "--force", "--exclude-junk")["left_out"]["excluded"], 1)
        self.shoal("create", "set", "--force", "--exclude", "*", code=3)


def torrent(**info):
    base = {"name": "n", "piece length": 16384, "length": 16384, "pieces": bytes(20)}
    base.update(info)
    return bencode({"info": {k.replace("_", " "): v for k, v in base.items() if v is not None}})


class Show(Case):
    def test_golden_text(self):
        sample(self)
        self.shoal("create", "set", "--format", "hybrid", "--no-date", "--comment", "a \x1b[31mred\\ one", "--tracker", "http://t.example/a",
                   "-o", "t")
        shown = re.sub(r"[0-9a-f]{40,}", "HASH", self.shoal("show", "t", "--files"))
        self.assertEqual(re.sub(r"shoal \d+\.\d+\.\d+", "shoal VERSION", shown), GOLDEN_SHOW)

    def test_json(self):
        sample(self)
        self.put(b"set/odd\xff\x1b\xe2\x80\xae", b"x")
        self.shoal("create", "set", "--format", "v2", "-o", "t", "--tracker", "http://t.example/a")
        (shown,) = self.lines("show", "t", "--files")
        self.assertEqual(shown["trackers"], [{"tier": 0, "url": "http://t.example/a"}])
        self.assertEqual([f["path"] for f in shown["files"]][:2], ["set/a/one", "set/a.txt"])
        self.assertIn(b"set/odd\xff\x1b\xe2\x80\xae", [os.fsencode(f["path"]) for f in shown["files"]])
        self.assertEqual(shown["files"][0]["root"], v2_of(b"1", 16384)[0].hex())
        self.assertTrue(any("not UTF-8" in w for w in shown["warnings"]), shown["warnings"])

    def test_magnets(self):
        link = ("magnet:?xt=urn:btih:" + "ab" * 20 + "&xt=urn:btmh:1220" + "cd" * 32 +
                "&dn=a%20%1b%5b31mname&tr=http%3A%2F%2Ft.example%2Fa&x.pe=192.0.2.1:6881&x.pe=[::1]:1&so=0,2-4")
        self.assertEqual(self.shoal("show", link), "name      a \\x1b[31mname\nformat    hybrid\nv1        " + "ab" * 20 +
                         "\nv2        " + "cd" * 32 + "\ntracker   http://t.example/a\npeer      192.0.2.1:6881\n"
                         "peer      [::1]:1\nfiles     0,2-4\n")
        (shown,) = self.lines("show", link)
        self.assertEqual((shown["name"], shown["peers"]), ("a \x1b[31mname", ["192.0.2.1:6881", "[::1]:1"]))
        for text in ("AB" * 20, "VOV2XK5LVOV2XK5LVOV2XK5LVOV2XK5L"):  # a bare hash, in hex and in base32
            self.assertEqual(self.lines("show", text)[0]["infohash_v1"], "ab" * 20)
        self.assertEqual(self.lines("show", "cd" * 32)[0]["infohash_v2"], "cd" * 32)
        for bad in ("magnet:?dn=x", "magnet:?xt=urn:btih:zz", "magnet:", "magnet:?xt=urn:btih:" + "a" * 39):
            self.shoal("show", bad, code=3)
            self.assertIn("check that the whole link was copied", self.last_error())

    def test_bad_torrents_exit_3_with_one_line(self):
        cases = {
            "empty": b"", "text": b"hello\n", "cut": torrent()[:-5], "after": torrent() + b"x", "no info": b"de", "a list": b"le",
            "piece length 0": torrent(piece_length=0), "no name": torrent(name=None), "half a hash": torrent(pieces=bytes(19)),
            "too few pieces": torrent(length=99999999), "a negative length": torrent(length=-1),
            "a length past numbers": torrent().replace(b"6:lengthi16384e", b"6:lengthi99999999999999999999e"),
            "sizes that overflow": torrent(length=None, files=[{"length": 2**63 - 1, "path": ["a"]}] * 3),
            "a wrong type": torrent(name=7), "a key twice": b"d4:infod4:name1:a4:name1:bee",
            "10 MB of l": b"l" * 10_000_000, "40,000 levels": b"d4:info" + b"d1:a" * 40000,
        }
        for why, raw in cases.items():
            with self.subTest(why):
                self.put("bad.torrent", raw)
                began = time.monotonic()
                for command in (["show"], ["verify"], ["magnet"], ["get"], ["seed"]):
                    self.shoal(*command, "bad.torrent", code=3)
                    line = self.last_error()
                    self.assertTrue(line.startswith(f"shoal {command[0]}: bad.torrent: "), line)
                    self.assertLess(len(line), 300)
                self.assertLess(time.monotonic() - began, 10)
        for path, code in (("missing.torrent", 3), (self.dir, 3), ("/dev/zero", 3)):
            self.shoal("show", path, code=code)
            self.last_error()

    def test_a_megabyte_of_equal_names_is_quick(self):
        files = [{"length": 0, "path": ["same"]} for _ in range(40000)] + [{"length": 16384, "path": ["x"]}]
        self.put("t", torrent(length=None, files=files))
        began = time.monotonic()
        self.shoal("show", "t", "--files")
        self.assertLess(time.monotonic() - began, 5)

    def test_names_never_leave_their_folder(self):
        names = [["..", "..", "up"], ["/etc", "x"], ["a\x1b[2J", "b"], ["", "e"], [".", "dot"]]
        files = [{"length": 1, "path": path} for path in names]
        self.put("t", torrent(length=None, name="../..", files=files))
        self.put("dir/inside", b"")
        self.shoal("show", "t", "--files")
        self.assertIn("\\x1b[2J", self.out)
        for event in self.lines("verify", "t", "-d", "dir", code=1):
            if event["event"] == "file":
                parts = event["path"].split("/")
                self.assertFalse({"..", ".", ""} & set(parts), event["path"])
                self.assertEqual(event["state"], "missing")


class Magnet(Case):
    def test_link(self):
        sample(self)
        made = self.create("set", "--format", "hybrid", "--tracker", "http://t.example/a?b=c&d", "-o", "t")
        link = self.shoal("magnet", "t", "--peer", "192.0.2.1:6881", "--peer", "[::1]:7").strip()
        self.assertTrue(link.startswith("magnet:?xt=urn:btih:" + made["infohash_v1"] + "&xt=urn:btmh:1220" + made["infohash_v2"]))
        (shown,) = self.lines("show", link)
        self.assertEqual((shown["name"], shown["trackers"], shown["peers"]),
                         ("set", ["http://t.example/a?b=c&d"], ["192.0.2.1:6881", "[::1]:7"]))
        self.assertEqual(self.lines("magnet", "t")[0]["magnet"], made["magnet"])
        self.shoal("magnet", "-", stdin=self.get("t"))
        self.assertEqual(self.out.strip(), made["magnet"])


class Verify(Case):
    PIECE = 16384

    def make(self, form):
        self.files = sample(self)
        self.shoal("create", "set", "--format", form, "--piece-size", str(self.PIECE), "-o", "t", "--force")

    def verify(self, code):
        """State by path of what is not good, and the sum."""
        events = self.lines("verify", "t", code=code)
        self.assertEqual(events[-1]["event"], "verified")
        self.assertEqual(events[-1]["good"], code == 0)
        return {e["path"][4:]: e for e in events[:-1] if e["event"] == "file"}, events[-1]

    def test_good(self):
        for form in ("v1", "v2", "hybrid"):
            self.make(form)
            files, total = self.verify(0)
            self.assertEqual((files, total["pieces"]), ({}, total["pieces_good"]))
            self.assertRegex(self.shoal("verify", "t"), r"^set: good: 4 files, 99 KiB, (\d+) of \1 pieces")

    def test_damage_is_told_exactly(self):
        for form in ("v2", "hybrid"):
            self.make(form)
            bad = bytearray(self.files["b.bin"])
            bad[40000] ^= 1  # b.bin is pieces 3..7: piece 5 holds bytes 32768..49151
            bad[76799] ^= 1
            self.put("set/b.bin", bytes(bad))
            files, total = self.verify(1)
            self.assertEqual(list(files), ["b.bin"])
            self.assertEqual(files["b.bin"]["state"], "damaged")
            self.assertEqual(files["b.bin"]["pieces"], [[5, 5], [7, 7]])
            self.assertEqual(files["b.bin"]["bytes"], [[32768, 49151], [65536, 76799]])
            self.assertEqual((total["pieces"], total["pieces_good"], total["files_good"]), (8, 6, 3))
            self.shoal("verify", "t", code=1)
            self.assertEqual(self.out, "damaged     set/b.bin: pieces 5, 7 (bytes 32768-49151, 65536-76799)\n"
                             "set: not good: 1 of 4 files, 2 of 8 pieces\n")

    def test_missing_short_long_and_in_the_way(self):
        for form in ("v1", "v2", "hybrid"):
            with self.subTest(form):
                self.make(form)
                os.remove(self.path("set/a.txt"))
                os.remove(self.path("set/zero"))
                self.put("set/b.bin", self.files["b.bin"][:50000])
                files, _ = self.verify(1)
                self.assertEqual({p: f["state"] for p, f in files.items() if p != "a/one"},
                                 {"a.txt": "missing", "b.bin": "short", "zero": "missing"})
                # In v1 the byte of a/one shares its piece with the file that is gone: nobody can say.
                self.assertEqual(files.get("a/one", {}).get("state"), "unchecked" if form == "v1" else None)
                self.put("set/a.txt", self.files["a.txt"] + b"more")
                self.put("set/b.bin", self.files["b.bin"])
                os.makedirs(self.path("set/zero"))
                files, total = self.verify(1)
                self.assertEqual({p: f["state"] for p, f in files.items()}, {"a.txt": "long", "zero": "no file"})
                self.assertEqual(total["pieces"], total["pieces_good"])
                self.assertIn("(4 bytes after its end at 25000)", self.shoal("verify", "t", code=1))
                os.rmdir(self.path("set/zero"))

    def test_unfinished_files_are_found(self):
        self.make("v2")
        os.rename(self.path("set/b.bin"), self.path("set/b.bin.part"))
        files, total = self.verify(1)
        self.assertEqual((files["b.bin"]["state"], files["b.bin"]["part"], files["b.bin"]["pieces"]), ("unfinished", "set/b.bin.part", []))
        self.assertEqual(total["pieces"], total["pieces_good"])
        self.assertIn("lies there as set/b.bin.part (76800 of 76800 bytes)", self.shoal("verify", "t", code=1))

    def test_links_are_not_followed(self):
        self.make("v2")
        os.rename(self.path("set/b.bin"), self.path("elsewhere"))
        os.symlink("../elsewhere", self.path("set/b.bin"))
        os.rename(self.path("set/a"), self.path("a"))
        os.symlink("../a", self.path("set/a"))
        files, _ = self.verify(1)
        self.assertEqual({p: f["state"] for p, f in files.items()}, {"b.bin": "no file", "a/one": "no file"})

    def test_unreadable_exits_4(self):
        self.make("v2")
        os.chmod(self.path("set/b.bin"), 0)
        self.shoal("verify", "t", code=4, user=NOBODY if os.geteuid() == 0 else None)
        self.assertIn("unreadable  set/b.bin (Permission denied)", self.out)

    def test_another_folder(self):
        self.make("hybrid")
        os.makedirs(self.path("down"))
        os.rename(self.path("set"), self.path("down/set"))
        self.shoal("verify", "t", "-d", "down")
        self.shoal("verify", "t", "-d", "nowhere", code=1)
        self.assertIn("nowhere: No such file or directory", self.last_error())
        self.shoal("verify", "t", "-d", "down/set", code=1)
        self.assertIn("nothing of it is in down/set; -d names the folder in which set lies", self.err)

    def test_layers_that_are_missing(self):
        """A v2 torrent without piece layers: files are judged by their roots alone."""
        self.make("v2")
        raw = bdecode(self.get("t"))
        raw[b"piece layers"] = {}
        self.put("t", bencode(raw))
        self.assertEqual(self.verify(0)[0], {})
        bad = bytearray(self.files["b.bin"])
        bad[0] ^= 1
        self.put("set/b.bin", bytes(bad))
        files, _ = self.verify(1)
        self.assertEqual((files["b.bin"]["state"], files["b.bin"]["bytes"]), ("damaged", [[0, 76799]]))


class Transfer(Case):
    """What get and seed say before any packet could be sent."""

    def test_storage_trouble_exits_4(self):
        self.put("t", torrent())
        self.put("file", b"x")
        self.shoal("get", "t", "--state", "file/state", code=4)
        self.assertIn("--state file/state: Not a directory", self.last_error())

    def test_a_folder_that_cannot_be_made(self):
        user = NOBODY if os.geteuid() == 0 else None
        self.put("t", torrent())
        self.put("file", b"x")
        for out, at, words in ("file", "file", "Not a directory"), ("file/a/b", "file", "Not a directory"), ("new/a", "", "Permission denied"):
            with self.subTest(out):
                os.chmod(self.dir, 0o555)
                self.shoal("get", "t", "-o", out, code=4, user=user)
                os.chmod(self.dir, 0o755)
                self.assertEqual(self.last_error(),
                                 f"shoal get: {os.path.realpath(self.path(at))}: {words}; -o names another folder")

    def test_what_is_wrong_here_is_said_before_anybody_is_asked(self):
        name = "magnet:?xs=urn:btpk:" + "ab" * 32
        for words in ["--adopt-from", "nowhere"], ["--only", "@0"]:
            self.shoal("get", name, "--timeout", "50", *words, code=2)
            self.assertIn(words[0], self.last_error())

    def test_what_is_a_torrent_is_not_made_one(self):
        for name in "t", "set.torrent":
            self.put(name, torrent())
            self.shoal("seed", name, "-o", "other", code=2)
            self.assertIn(f"and {name} is one already", self.last_error())

    def test_a_folder_that_can_take_nothing(self):
        user = NOBODY if os.geteuid() == 0 else None
        self.put("t", torrent())
        os.makedirs(self.path("locked/closed"))
        os.chmod(self.path("locked/closed"), 0)
        os.chmod(self.path("locked"), 0o555)
        for folder in "locked", "locked/closed":
            with self.subTest(folder):
                self.shoal("get", "t", "-o", folder, code=4, user=user)
                self.assertIn(f"{folder}: Permission denied; -o names another folder", self.last_error())
        self.assertEqual(os.listdir(self.path("locked")), ["closed"])

    def test_a_folder_that_has_it_all_need_take_nothing(self):
        user = NOBODY if os.geteuid() == 0 else None
        self.put("locked/set/a", b"x" * 40000)
        self.put("locked/set/b", b"y" * 40000)
        self.shoal("create", "locked/set", "-o", "t")
        os.makedirs(self.path("st"))
        os.chmod(self.path("st"), 0o777)
        os.chmod(self.path("locked"), 0o555)
        self.shoal("get", "t", "-o", "locked", "--state", "st", "--no-dht", "--no-lsd", "--no-portmap",
                   "--listen", "127.0.0.1:0", user=user)
        self.assertIn("set: complete, all of it was here already\n", self.out)
        self.assertNotIn("no peer or tracker is known", self.err)  # nor need there be one
        os.chmod(self.path("locked"), 0o755)
        os.remove(self.path("locked/set/b"))
        self.shoal("get", "t", "-o", "locked", "--state", "other", "--no-dht", "--no-lsd", "--no-portmap",
                   "--listen", "127.0.0.1:0", "--timeout", "0.2", code=5)
        self.assertIn("no peer or tracker is known", self.err)

    def test_a_url_is_no_torrent(self):
        self.shoal("get", "http://t.example/x.torrent", code=3)
        self.assertIn("no such file; a URL is not fetched from: save the .torrent first", self.last_error())

    def test_errors_are_events_too(self):
        self.put("bad.torrent", b"x")
        (event,) = self.lines("get", "bad.torrent", code=3)
        self.assertEqual((event["event"], event["exit"]), ("error", 3))
        self.assertIn("bad.torrent", event["what"])


GOLDEN_V1 = "77a509dbbebea9097a5b78e2462300bfb33fa3ff"
GOLDEN_V2 = "9c97923028b42ef890356df688552e2b588303b0980093f2bdf52235be2ec896"
GOLDEN_SHOW = """\
name      set
size      99 KiB (101801 bytes) in 4 files
format    hybrid
v1        HASH
v2        HASH
pieces    8 of 16 KiB
metadata  757 B of info dictionary
private   no
made by   shoal VERSION
comment   a \\x1b[31mred\\\\ one
tracker   0: http://t.example/a
warning   28 KiB of padding (28 % of the data), which engines without BEP 47 download and store [padding]
      1               1  set/a/one
      3           25000  set/a.txt
      5           76800  set/b.bin
      7               0  set/zero
"""

if __name__ == "__main__":
    unittest.main(verbosity=1)
