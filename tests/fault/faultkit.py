"""What the fault tests share: sample data, shoal processes, the reader of claims, a relay that notes what is asked for."""
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NETNS = os.path.join(HERE, "..", "..", "tools", "netns")
PYTHON = "/usr/bin/python3"
KI = 1024


def inside(*namespaces):
    """Runs this script again, in a network namespace of its own; `namespaces`: more of unshare's options."""
    if os.environ.get("SHOAL_FAULT_INSIDE") == "1":
        return
    os.environ["SHOAL_FAULT_INSIDE"] = "1"
    wrap = ["unshare", *namespaces] if namespaces else []
    os.execvp(wrap[0] if wrap else NETNS, wrap + [NETNS, PYTHON, os.path.abspath(sys.argv[0])] + sys.argv[1:])


def skip(why):
    print(f"SKIPPED: {why}", file=sys.stderr)
    sys.exit(77)


def shoal_program():
    return os.environ.get("SHOAL", "shoal")


def claimed_program():
    return os.environ.get("SHOAL_CLAIMED") or os.path.join(os.environ["SHOAL_BUILD"], "tests", "fault-claimed")


def tree(folder, sizes, seed):
    rnd = random.Random(seed)
    for name, size in sizes.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(rnd.randbytes(size))


def transfers(begin, wanted, seed, least=1, seen=lambda: True):
    """Transfers `begin(number)`, until there were as many deaths as `wanted` and what the dice must bring once was `seen`
    (or they were thrown often enough for it): each is run, ended, and given to whoever counts
    if it went as it should; else that is said, and the test ends with 1. One has run(), end(), `deaths` and `work`."""
    number = deaths = 0
    while deaths < wanted or number < least or (not seen() and number < 20 * least):
        t = begin(number)
        try:
            t.run()
        except AssertionError as e:
            print(f"FAILED in {t.work}: seed {seed}, transfer {number}, after {deaths + t.deaths} deaths: {e}")
            sys.exit(1)
        finally:
            t.end()
        deaths += t.deaths
        number += 1
        yield t
        shutil.rmtree(t.work)


class Content:
    """Files below WORK/source, a torrent of them, and their bytes by the path they have below a save folder."""

    def __init__(self, work, form, sizes, seed, piece="32K"):
        self.source = os.path.join(work, "source")
        os.makedirs(self.source)
        single = list(sizes) == ["content"]
        tree(self.source if single else os.path.join(self.source, "content"), sizes, seed)
        self.torrent = os.path.join(work, "t.torrent")
        subprocess.run([shoal_program(), "create", os.path.join(self.source, "content"), "-o", self.torrent, "--format", form,
                        "--piece-size", piece, "--quiet"], check=True)
        self.bytes = {}
        for where, _, files in os.walk(self.source):
            for name in files:
                full = os.path.join(where, name)
                self.bytes[os.path.relpath(full, self.source)] = open(full, "rb").read()
        self.size = sum(map(len, self.bytes.values()))

    def false_claims(self, folder, claims):
        """Ranges that are claimed and do not hold what they should."""
        bad = []
        for piece, path, at, offset, length in claims["ranges"]:
            try:
                with open(os.path.join(folder, at), "rb") as f:
                    f.seek(offset)
                    got = f.read(length)
            except OSError as e:
                got = str(e).encode()
            if got != self.bytes[path][offset:offset + length]:
                bad.append((piece, at, offset, length))
        return bad

    def same(self, folder):
        for path, want in self.bytes.items():
            with open(os.path.join(folder, path), "rb") as f:
                assert f.read() == want, f"{path} differs"


def claims(torrent, folder, state, scratch):
    """What STATE claims, read from a copy of it."""
    copy = os.path.join(scratch, "state-copy")
    shutil.rmtree(copy, ignore_errors=True)
    if not os.path.exists(state):
        return {"pieces": 0, "bytes": 0, "named": 0, "ranges": []}
    shutil.copytree(state, copy)
    done = subprocess.run([claimed_program(), torrent, os.path.realpath(folder) if os.path.exists(folder) else folder, copy],
                          capture_output=True, text=True)
    assert done.returncode == 0, f"the state cannot be read: {done.stderr}"
    return json.loads(done.stdout)


class Shoal:
    """One shoal process; its JSON events are read from a file as they come."""
    count = 0

    def __init__(self, work, *args, state=None, **more):
        Shoal.count += 1
        self.events_path = os.path.join(work, f"events-{Shoal.count}")
        self.log_path = os.path.join(work, f"log-{Shoal.count}")
        with open(self.events_path, "wb") as out, open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([shoal_program(), *args, "--json", "--state", state or os.path.join(work, "state")],
                                            stdout=out, stderr=log, **more)

    def events(self):
        with open(self.events_path, "rb") as f:
            return [json.loads(line) for line in f.read().split(b"\n")[:-1] if line.strip()]

    def last(self, kind):
        return next((e for e in reversed(self.events()) if e["event"] == kind), None)

    def wait_for(self, kind, seconds=20, test=lambda e: True):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [e for e in self.events() if e["event"] == kind and test(e)]
            if found:
                return found[-1]
            if self.process.poll() is not None and not any(e["event"] == kind and test(e) for e in self.events()):
                break
            time.sleep(0.01)
        raise AssertionError(f"no '{kind}' came: {self.why()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def dies_within(self, seconds):
        """kill -9 after that time; False when it had ended well by itself before."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            time.sleep(0.002)
        if self.process.poll() is None:
            self.kill()
            return True
        assert self.process.returncode == 0, f"exit code {self.process.returncode}: {self.why()}"
        return False

    def stop(self, seconds=10):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end within {seconds} s of SIGTERM: {self.why()}")

    def wait(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"it did not end in {seconds} s: {self.why()}")

    def why(self):
        return open(self.log_path, errors="replace").read()[-800:] + "\n" + "\n".join(map(str, self.events()[-4:]))

    def forget(self):
        os.unlink(self.events_path)
        os.unlink(self.log_path)


class Relay(threading.Thread):
    """Passes a peer's connections on to a seed, and notes every REQUEST (piece, begin, length) and HAVE on the way."""

    def __init__(self, address, to):
        super().__init__(daemon=True)
        self.to = to
        self.asked = []
        self.told = []
        self.listener = socket.create_server(address)
        self.address = "%s:%d" % self.listener.getsockname()[:2]
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(self.to, 5)
            except OSError:
                client.close()
                continue
            threading.Thread(target=self.up, args=(client, server), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, None), daemon=True).start()

    def up(self, client, server):
        self.pump(client, server, bytearray())

    def pump(self, source, sink, seen):
        handshake = 68
        try:
            while data := source.recv(1 << 16):
                if seen is not None:
                    seen += data
                    skip_now = min(handshake, len(seen))
                    handshake -= skip_now
                    del seen[:skip_now]
                    while handshake == 0 and len(seen) >= 4:
                        length = struct.unpack(">I", seen[:4])[0]
                        if len(seen) < 4 + length:
                            break
                        if length == 13 and seen[4] == 6:
                            self.asked.append(struct.unpack(">III", seen[5:17]))
                        if length == 5 and seen[4] == 4:
                            self.told.append(struct.unpack(">I", seen[5:9])[0])
                        del seen[:4 + length]
                sink.sendall(data)
        except OSError:
            pass
        for s in source, sink:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        sink.close()
