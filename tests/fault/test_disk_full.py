"""test_disk_full.py - storage that fails a running shoal: full, taken away, changed behind its back. Nothing verified is lost or false.

Each case is a process or two on volumes of their own (tmpfs of a given size, in a mount namespace). The message a
person would read is checked as well as the exit code. Needs root, to mount and to become somebody else.
"""
import hashlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faultkit as kit  # noqa: E402

ONE = {"content": 6_000_001}
MANY = {f"{i:02}/x": 150_000 for i in range(24)}
NOBODY = 65534


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"


class Case:
    number = 0

    def __init__(self, root, name, form, sizes):
        Case.number += 1
        self.work = os.path.join(root, name)
        os.mkdir(self.work)
        os.chmod(self.work, 0o755)
        self.content = kit.Content(self.work, form, sizes, Case.number)
        self.host = f"127.2.0.{Case.number}"
        self.mounts = []
        self.running = []
        self.state = os.path.join(self.work, "state")
        self.copy = os.path.join(self.work, "copy")

    def volume(self, path, size):
        os.makedirs(path, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", path)
        self.mounts.append(path)
        return path

    def start(self, *args, **more):
        p = kit.Shoal(self.work, *args, **more)
        self.running.append(p)
        return p

    def seed(self, *args):
        s = self.start("seed", self.content.torrent, "-d", self.content.source, "--listen", f"{self.host}:7000", *args,
                       state=os.path.join(self.work, "seed-state"))
        s.wait_for("started")
        return s

    def get(self, *args, **more):
        return self.start("get", self.content.torrent, "-o", self.copy, "--peer", f"{self.host}:7000", "--listen",
                          f"{self.host}:7001", "--timeout", "60", *args, state=self.state, **more)

    def claims(self):
        found = kit.claims(self.content.torrent, self.copy, self.state, self.work)
        bad = self.content.false_claims(self.copy, found)
        assert not bad, f"claimed and false: {bad[:5]}"
        return found

    def end(self):
        for p in self.running:
            p.kill()
        for path in reversed(self.mounts):
            run("umount", "-l", path)


def words(event):
    return " ".join(str(v) for v in event.values()).lower()


def is_about(*needles):
    return lambda e: all(n in words(e) for n in needles)


def data_volume_full(c):
    """No room for the data: says so, waits, and goes on by itself when there is room again."""
    c.volume(c.copy, "3m")
    c.seed()
    g = c.get()
    said = g.wait_for("warning", test=is_about("no space"))
    time.sleep(0.5)
    assert g.process.poll() is None, "it gave up"
    held = c.claims()
    assert 0 < held["bytes"] < c.content.size
    run("mount", "-o", "remount,size=16m", c.copy)
    assert g.wait(30) == 0, g.why()
    c.content.same(c.copy)
    return f"'{said['what']}', {held['bytes']} bytes safe; then complete"


def data_volume_full_and_killed(c):
    """The same, and it is killed while it waits: what was claimed is there for the next run."""
    c.volume(c.copy, "3m")
    c.seed()
    g = c.get()
    g.wait_for("warning", test=is_about("no space"))
    g.kill()
    held = c.claims()
    run("mount", "-o", "remount,size=16m", c.copy)
    g = c.get()
    assert g.wait_for("checked")["done"] >= held["bytes"]
    assert g.wait(30) == 0, g.why()
    c.content.same(c.copy)
    return f"{held['bytes']} bytes kept over the kill"


def state_volume_full(c):
    """No room to record: pauses likewise; the database stays whole."""
    c.volume(c.state, "1m")
    c.seed()
    g = c.get("--down", "2M")
    g.wait_for("checked")
    time.sleep(0.3)
    filler = os.path.join(c.state, "filler")
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(4096))
        except OSError:
            pass
    said = g.wait_for("warning", test=is_about("no space"))
    assert g.process.poll() is None
    held = c.claims()
    os.unlink(filler)
    assert g.wait(40) == 0, g.why()
    c.content.same(c.copy)
    now = c.claims()
    assert now["bytes"] == c.content.size, f"{now['bytes']} recorded in the end"
    return f"'{said['what']}', {held['bytes']} bytes in the records; then complete"


def state_volume_full_at_start(c):
    """No room to begin with: one line, exit 4."""
    c.volume(c.state, "4k")
    with open(os.path.join(c.state, "filler"), "wb") as f:
        f.write(bytes(4096))
    c.seed()
    g = c.get()
    code = g.wait(20)
    assert code == 4, f"exit code {code}: {g.why()}"
    said = g.last("error")
    assert said and is_about("no space")(said), g.why()
    return f"exit 4: '{said['what']}'"


def permission_lost(c):
    """The folder may not be written to any more: exit 4 and which; with permission again it goes on where it was."""
    os.mkdir(c.copy)
    os.mkdir(c.state)
    for path in c.copy, c.state:
        os.chown(path, NOBODY, NOBODY)
    c.seed()
    g = c.get("--down", "3M", user=NOBODY, group=NOBODY, extra_groups=[])
    g.wait_for("first_piece")
    time.sleep(0.2)
    inner = os.path.join(c.copy, "content")
    os.chmod(inner, 0o555)
    code = g.wait(40)
    assert code == 4, f"exit code {code}: {g.why()}"
    said = g.last("error")
    assert is_about("denied")(said) or is_about("permission")(said), g.why()
    held = c.claims()
    assert held["bytes"] > 0
    os.chmod(inner, 0o755)
    g = c.get(user=NOBODY, group=NOBODY, extra_groups=[])
    assert g.wait_for("checked")["done"] >= held["bytes"]
    assert g.wait(30) == 0, g.why()
    c.content.same(c.copy)
    return f"exit 4: '{said['what']}', {held['bytes']} bytes kept"


class Peer:
    """A leech of the simplest kind: asks, and keeps what it is sent."""

    def __init__(self, to, info_hash):
        self.s = socket.create_connection(to, 5)
        self.s.settimeout(5)
        self.s.sendall(b"\x13BitTorrent protocol" + bytes(7) + b"\x04" + info_hash + b"-PY0001-" + os.urandom(12))
        self.take(68)
        self.say(2)  # interested
        while self.hear()[0] != 1:  # unchoke
            pass

    def take(self, n):
        out = b""
        while len(out) < n:
            got = self.s.recv(n - len(out))
            if not got:
                raise ConnectionError("closed")
            out += got
        return out

    def say(self, kind, body=b""):
        self.s.sendall(struct.pack(">IB", 1 + len(body), kind) + body)

    def hear(self):
        while True:
            n = struct.unpack(">I", self.take(4))[0]
            if n:
                body = self.take(n)
                return body[0], body[1:]

    def block(self, piece, begin, length):
        """Its bytes; None when it is refused, or the connection ends over it."""
        self.say(6, struct.pack(">III", piece, begin, length))
        try:
            while True:
                kind, body = self.hear()
                if kind == 7 and struct.unpack(">II", body[:8]) == (piece, begin):
                    return body[8:]
                if kind == 16 and struct.unpack(">III", body) == (piece, begin, length):
                    return None
        except (ConnectionError, socket.timeout):
            return None


def info_hash_of(seed):
    e = seed.last("started")
    return bytes.fromhex(e.get("infohash_v1") or e["infohash_v2"][:40])


def changed(c, change, what):
    """A seed's file changes behind its back: nothing false goes out, and it says so."""
    seed = c.seed()
    path = os.path.join(c.content.source, "content")
    to, want = (c.host, 7000), c.content.bytes["content"]
    peer = Peer(to, info_hash_of(seed))
    assert peer.block(3, 0, 16384) == want[3 * 32768:][:16384], "it does not serve in the first place"
    change(path)
    time.sleep(0.05)  # a look at a file is good for 10 ms
    false = served = 0
    for piece in (100, 101, 102, 150, 3, 179, 120):
        try:
            got = peer.block(piece, 0, 16384)
        except OSError:
            got = None
        if got is None:
            try:
                peer = Peer(to, info_hash_of(seed))
            except (OSError, ConnectionError):
                break
            continue
        served += 1
        false += got != want[piece * 32768:][:16384]
    assert not false, f"{false} of {served} blocks were false"
    said = seed.wait_for("warning", 5, is_about("no longer"))
    assert seed.process.poll() is None or seed.process.returncode in (1, 4)
    return f"{what}: {served} good blocks, none false; '{said['what']}'"


def truncated_under_a_seed(c):
    return changed(c, lambda path: os.truncate(path, 3_000_000), "cut short")


def overwritten_under_a_seed(c):
    def change(path):
        with open(path, "r+b") as f:
            f.seek(100 * 32768)
            f.write(bytes(3 * 32768))
    return changed(c, change, "overwritten")


def replaced_under_a_seed(c):
    def change(path):
        with open(path + ".new", "wb") as f:
            f.write(hashlib.sha256(b"other").digest() * 187_501)
        os.rename(path + ".new", path)
    return changed(c, change, "replaced")


def removed_under_a_seed(c):
    return changed(c, os.unlink, "removed")


def removed_between_runs(c):
    """A finished file is gone when the next run starts: it is fetched again, and nothing else is."""
    c.seed()
    assert c.get().wait(30) == 0
    os.unlink(os.path.join(c.copy, "content", "05", "x"))
    g = c.get()
    had = g.wait_for("checked")["done"]
    assert c.content.size - 2 * 150_000 - 2 * 32768 < had < c.content.size, had
    assert g.wait(30) == 0, g.why()
    c.content.same(c.copy)
    return f"{had} of {c.content.size} bytes were there"


CASES = [
    (data_volume_full, "hybrid", ONE), (data_volume_full, "v1", MANY), (data_volume_full_and_killed, "v2", ONE),
    (state_volume_full, "v1", ONE), (state_volume_full_at_start, "v2", ONE), (permission_lost, "v1", MANY),
    (truncated_under_a_seed, "v1", ONE), (overwritten_under_a_seed, "v2", ONE), (replaced_under_a_seed, "hybrid", ONE),
    (removed_under_a_seed, "v1", ONE), (removed_between_runs, "hybrid", MANY),
]


def main():
    wanted = sys.argv[1:]
    root = tempfile.mkdtemp(prefix="shoal-full-")
    os.chmod(root, 0o755)
    failed = 0
    for test, form, sizes in CASES:
        name = f"{test.__name__}-{form}-{'one' if sizes is ONE else 'many'}"
        if wanted and not any(w in name for w in wanted):
            continue
        began = time.monotonic()
        c = Case(root, name, form, sizes)
        try:
            said = test(c)
            print(f"ok    {name} ({time.monotonic() - began:.1f} s): {said}", flush=True)
        except (AssertionError, OSError) as e:
            failed += 1
            print(f"FAILED {name}: {type(e).__name__} {e}", flush=True)
        finally:
            c.end()
    shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


if os.geteuid() != 0:
    kit.skip("volumes of a given size need root")
kit.inside("-m", "--propagation", "private")
sys.exit(main())
