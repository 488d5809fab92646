"""test_reputation.py - shoal reputation over a real state: who lied is remembered past kill -9, shown, forgotten, carried elsewhere.

One seed is honest and slow; the other stands behind a relay that flips a byte of every block.
"""
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import closed  # noqa: E402

closed.enter()
SHOAL = os.environ.get("SHOAL", "shoal")
PIECE = 7
ALONE = ["--no-dht", "--no-lsd", "--no-portmap", "--no-utp"]
HIDDEN = [*ALONE, "--encryption", "require"]
HONEST, LIAR, BEHIND, SELF = (f"127.0.0.1:{port}" for port in (7000, 7001, 7002, 7003))
GOOD = "peer 77.1.2.3:6881 seen 1700000000 verified 5000 false 0 good 252000 bad 0 banned 0\n"


def exactly(sock, n):
    got = b""
    while len(got) < n:
        part = sock.recv(n - len(got))
        if not part:
            raise ConnectionError
        got += part
    return got


class Relay:
    """Passes everything on, but flips a byte of each block that comes back."""

    def __init__(self, at, to):
        self.to = to
        self.accepted = 0
        self.socket = socket.create_server(at)
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def close(self):
        self.end(self.socket)
        self.thread.join(5)
        self.socket.close()

    def accept(self):
        while True:
            try:
                here, _ = self.socket.accept()
                there = socket.create_connection(self.to)
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self.forth, args=(here, there), daemon=True).start()
            threading.Thread(target=self.back, args=(there, here), daemon=True).start()

    def end(self, *sockets):
        for s in sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def forth(self, source, sink):
        try:
            while part := source.recv(65536):
                sink.sendall(part)
        except OSError:
            pass
        self.end(source, sink)
        source.close()

    def back(self, source, sink):
        try:
            sink.sendall(exactly(source, 68))
            while True:
                head = exactly(source, 4)
                body = bytearray(exactly(source, int.from_bytes(head, "big")))
                if body and body[0] == PIECE:
                    body[9] ^= 1
                sink.sendall(head + body)
        except OSError:
            pass
        self.end(source, sink)
        source.close()


class Reputation(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.dir = self.folder.name
        self.running = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.running:
            process.kill()
            process.wait()

    def shoal(self, *args, code=0, stdin=None):
        done = subprocess.run([SHOAL, *args], cwd=self.dir, capture_output=True, text=True, timeout=60, check=False, input=stdin)
        self.assertEqual(done.returncode, code, (args, done.stdout, done.stderr))
        self.assertNotIn("\x1b", done.stdout + done.stderr)
        return done

    def reputation(self, *args, state="state", code=0, **kw):
        return self.shoal("reputation", *args, "--state", state, code=code, **kw)

    def listed(self, *args, state="state"):
        events = [json.loads(x) for x in self.reputation("list", "--json", *args, state=state).stdout.splitlines()]
        end = events.pop()
        self.assertEqual(end["event"], "reputation")
        self.assertEqual(end["peers"], len(events))
        return {e["addr"]: e for e in events if "addr" in e}, end

    def start(self, *args, how=(*ALONE, "--encryption", "off")):
        process = subprocess.Popen([SHOAL, *args, *how, "--json"], cwd=self.dir, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        self.running.append(process)
        self.addCleanup(process.stdout.close)
        return process

    def wait_for(self, process, name):
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == name:
                return event
        self.fail(f"it ended before {name}")

    def stage(self):
        os.mkdir(os.path.join(self.dir, "src"))
        with open(os.path.join(self.dir, "src", "data"), "wb") as f:
            f.write(os.urandom(2 << 20))
        self.shoal("create", "src", "-o", "t", "--piece-size", "64K", "--format", "v2", "--quiet")
        for n, (at, up) in enumerate(((HONEST, "500K"), (BEHIND, "500K"))):
            seed = self.start("seed", "t", "-d", "src", "--listen", at, "--up", up, "--state", f"seed{n}")
            self.wait_for(seed, "started")
        host, port = LIAR.split(":")
        relay = Relay((host, int(port)), (host, int(BEHIND.split(":")[1])))
        self.addCleanup(relay.close)
        return relay

    def get(self, out, *more):
        return self.start("get", "t", "-o", out, "--peer", HONEST, "--peer", LIAR, "--listen", SELF, "--state", "state",
                          "--timeout", "50", "--adopt", "off", *more)

    def test_who_lied_is_remembered(self):
        relay = self.stage()
        get = self.get("copy")
        banned = self.wait_for(get, "peer_banned")
        self.assertIn(LIAR, json.dumps(banned))
        end = time.monotonic() + 20
        while LIAR not in self.listed("--banned")[0]:
            self.assertLess(time.monotonic(), end, "the ban is not in the state")
            time.sleep(0.1)
        self.assertTrue(self.listed()[1]["in_use"])
        self.assertIn("at work", self.reputation("list").stderr)
        self.assertIn("at work", self.reputation("forget", LIAR, code=4).stderr)
        self.assertIn("at work", self.reputation("import", "-", code=4, stdin="shoal reputation 1\n" + GOOD).stderr)
        get.kill()
        get.wait()

        # It was killed. The next one knows whom not to ask.
        peers, end = self.listed()
        self.assertFalse(end["in_use"])
        self.assertEqual(peers[LIAR]["state"], "banned")
        self.assertGreaterEqual(peers[LIAR]["false"], 2)
        before = relay.accepted
        get = self.get("copy")
        self.assertRegex(self.wait_for(get, "warning")["what"], f"{LIAR} is banned for [0-9]+ min")
        self.wait_for(get, "complete")
        self.assertEqual(get.wait(timeout=10), 0)
        self.assertEqual(relay.accepted, before)
        peers, _ = self.listed()
        self.assertIn(peers[HONEST]["state"], ("good", "trusted"))
        self.assertEqual(peers[HONEST]["false"], 0)
        self.assertGreater(peers[HONEST]["verified"], 20)
        self.assertNotIn(HONEST, self.listed("--banned")[0])

        # Shown, with the reasons.
        text = self.reputation("show", LIAR).stdout
        self.assertIn(f"{LIAR} is banned", text)
        self.assertIn("was false: its leaf hash is not the torrent's", text)
        self.assertIn("became banned", text)
        event = json.loads(self.reputation("show", LIAR, "--json").stdout)
        self.assertTrue(any("leaf hash" in r["why"] for r in event["reasons"]))

        # Carried to another state: hearsay, and the ban only when it is asked for.
        self.reputation("export", "-o", "peers.txt")
        self.assertIn("--force", self.reputation("export", "-o", "peers.txt", code=4).stderr)  # as create's
        self.reputation("export", "-o", "peers.txt", "--force")
        with open(os.path.join(self.dir, "peers.txt"), encoding="ascii") as f:
            self.assertEqual(self.reputation("export").stdout, f.read())
        self.reputation("import", "peers.txt", state="mild")
        self.reputation("import", "peers.txt", "--bans", state="stern")
        mild, stern = self.listed(state="mild")[0], self.listed(state="stern")[0]
        self.assertEqual(set(mild), set(peers))
        self.assertEqual(set(self.keys("mild")), set(self.keys()))
        self.assertNotEqual(mild[LIAR]["state"], "banned")
        self.assertEqual(mild[HONEST]["verified"], 0)
        self.assertEqual(stern[LIAR]["state"], "banned")
        self.assertLessEqual(stern[LIAR]["banned_until"], time.time() + 3600)
        again = json.loads(self.reputation("import", "peers.txt", "--bans", "--json", state="mild").stdout)
        self.assertEqual((again["peers"], again["known"]), (0, len(peers) + len(self.keys())))
        self.assertIn("came with an import", self.reputation("show", LIAR, state="stern").stdout)

        # Forgotten, it is met again: so it was the record that kept it away.
        self.reputation("forget", LIAR)
        self.reputation("show", LIAR, code=1)
        get = self.get("copy2")
        self.wait_for(get, "peer_banned")
        self.assertGreater(relay.accepted, before)
        get.terminate()
        get.wait(timeout=10)
        self.assertIn("peers forgotten", self.reputation("forget", "--all").stdout)
        self.assertEqual(self.listed()[0], {})

    def keys(self, state="state"):
        listed = [json.loads(x) for x in self.reputation("list", "--json", state=state).stdout.splitlines()]
        return {e["key"]: e for e in listed if "key" in e}

    def test_a_key_is_shown_made_once_and_good_through_encryption(self):
        self.stage()
        self.assertFalse(os.path.exists(os.path.join(self.dir, "seed0", "node.key")))
        self.wait_for(self.start("seed", "t", "-d", "src", "--listen", SELF, "--state", "seed2", how=HIDDEN), "started")
        self.shoal("get", "t", "-o", "copy", "--peer", SELF, "--state", "state", *HIDDEN,
                   "--adopt", "off", "--timeout", "50")
        (name, record), = self.keys().items()
        self.assertRegex(name, "^ed25519:[0-9a-f]{64}$")
        self.assertGreater(record["verified"], 20)
        self.assertEqual(os.stat(os.path.join(self.dir, "state", "node.key")).st_mode & 0o777, 0o600)
        self.shoal("get", "t", "-o", "copy2", "--peer", SELF, "--state", "state", *HIDDEN,
                   "--adopt", "off", "--timeout", "50", "--record", "flight")
        (again, record2), = self.keys().items()
        self.assertEqual(again, name)
        self.assertGreater(record2["verified"], record["verified"])
        # What the record of the second one says of that key, and of another.
        told = " ".join(self.shoal("explain", "flight", "--peer", name).stdout.split())
        self.assertIn("that key is behind 1 peer here", told)
        self.assertIn(f"{SELF} has proven the key {name.removeprefix('ed25519:')} in an encrypted stream", told)
        self.assertIn(f", 0 false of {record['verified']} blocks", told)
        self.assertEqual(told, " ".join(self.shoal("explain", "flight", "--peer", name[8:]).stdout.split()))
        self.assertIn("says nothing of that", self.shoal("explain", "flight", "--peer", "ed25519:" + 64 * "0", code=1).stderr)
        # Nobody is shown one who does not want it.
        self.shoal("get", "t", "-o", "copy3", "--peer", SELF, "--state", "shy", *HIDDEN,
                   "--adopt", "off", "--timeout", "50", "--show-key", "off")
        self.assertEqual(self.keys("shy"), {})
        self.assertFalse(os.path.exists(os.path.join(self.dir, "shy", "node.key")))
        self.reputation("forget", name)
        self.assertEqual(self.keys(), {})

    def test_one_in_the_middle_spoils_nobodys_name(self):
        """The relay carries the honest seed's proof on, and puts false blocks behind it (S16)."""
        self.stage()
        get = self.get("copy", "--record", "flight")
        self.wait_for(get, "peer_banned")
        self.wait_for(get, "complete")
        get.wait(timeout=10)
        self.assertEqual(self.listed("--banned")[0].keys(), {LIAR})
        self.assertGreater(len(self.keys()), 0)
        told = [" ".join(self.shoal("explain", "flight", "--peer", key).stdout.split()) for key in self.keys()]
        behind = next(t for t in told if LIAR in t)
        self.assertIn(f"{LIAR} has proven the key ", behind)
        self.assertIn("in a plain stream, where one in the middle may have carried the proof on", behind)
        self.assertIn("is banned for", behind)
        for record in self.keys().values():
            self.assertEqual(record["false"], 0)
            self.assertNotIn(record["state"], ("banned", "on parole"))

    def test_nothing_is_made_to_look_at_nothing(self):
        self.assertIn("nobody is remembered", self.reputation("list").stdout)
        self.assertIn("nobody is banned", self.reputation("list", "--banned").stdout)
        self.reputation("show", "1.2.3.4:5", code=1)
        self.reputation("forget", "1.2.3.4:5", code=1)
        self.assertEqual(self.reputation("export").stdout, "shoal reputation 1\n")
        self.assertFalse(os.path.exists(os.path.join(self.dir, "state")))

    def test_a_bad_file_changes_nothing(self):
        for text, code, words in (
            ("", 3, "line 1"),
            ("shoal reputation 2\n", 3, "newer"),
            ("shoal reputation 1\n" + GOOD + "peer \x1b[31m\n", 3, "line 3"),
            ("shoal reputation 1\n" + GOOD.replace("252000", "999999"), 3, "line 2"),
            ("shoal reputation 1\n" + "#" * 300 + "\n", 3, "too long"),
            ("shoal reputation 1\n" + GOOD * 8193, 3, "too long"),
        ):
            self.assertIn(words, self.reputation("import", "-", code=code, stdin=text).stderr)
            self.assertFalse(os.path.exists(os.path.join(self.dir, "state")))
        self.reputation("import", "-", stdin="shoal reputation 1\n" + GOOD * 8192)
        self.reputation("import", "nowhere", code=3)

    def test_what_is_old_is_not_told(self):
        old = GOOD.replace("1700000000", str(int(time.time()) - 31 * 86400))
        new = GOOD.replace("1700000000", str(int(time.time()) - 29 * 86400)).replace("77.1.2.3", "77.1.2.4")
        self.reputation("import", "-", stdin="shoal reputation 1\n" + old + new)
        self.assertEqual(list(self.listed()[0]), ["77.1.2.4:6881"])

    def test_usage(self):
        for args, words in ((["frob"], "unknown command frob"), ([], "a command is needed"), (["show"], "one argument"),
                            (["show", "nowhere"], "no ADDR:PORT"), (["list", "x"], "no argument"),
                            (["forget", "--all", "x"], "no argument")):
            self.assertIn(words, self.reputation(*args, code=2).stderr)


if __name__ == "__main__":
    unittest.main()
