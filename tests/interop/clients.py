"""Other people's clients as the interop matrix drives them: libtorrent, Transmission, aria2, rTorrent.

Each has seed() and get() that start it on one torrent, ready() and finished() by the client's own event, why() for a
failure and stop(). Whatever looks for peers by itself is off: they are found only by the way under test.
"""
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request

from swarmkit import Libtorrent, end, wait


def hook(folder, name):
    """A program that leaves a mark when the client calls it, and the mark."""
    path, mark = os.path.join(folder, name + ".sh"), os.path.join(folder, name + ".mark")
    with open(path, "w") as f:
        f.write(f"#!/bin/sh\n: > '{mark}'\n")
    os.chmod(path, 0o755)
    return path, mark


class Client:
    program = ""
    crypto = "off"  # or "allow", "require": of peers' streams

    def __init__(self, work, address, port):
        os.makedirs(work, exist_ok=True)
        self.work, self.address, self.port = work, address, port
        self.done_hook, self.done_mark = hook(work, "done")
        self.process = None

    @classmethod
    def version(cls):
        return None if shutil.which(cls.program) is None else cls.program

    def run(self, argv):
        self.log = os.path.join(self.work, "log")
        env = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        env.update(HOME=self.work, TERM="dumb")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"),
                                        stderr=subprocess.STDOUT, env=env)
        return self

    def finished(self):
        return os.path.exists(self.done_mark)

    def why(self):
        state = "runs" if self.process.poll() is None else f"ended with {self.process.returncode}"
        return f"{self.program} {state}: " + open(self.log, errors="replace").read()[-1200:]

    def stop(self):
        if self.process is not None:
            end(self.process, 4)


def get_json(url, data=None, headers=None):
    request = urllib.request.Request(url, data, headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=2) as answer:
        return json.loads(answer.read())


class Transmission(Client):
    program = "transmission-daemon"
    dht = utp = False

    def seed(self, torrent, folder, lsd=False, pex=True):
        config = os.path.join(self.work, "config")
        os.makedirs(config, exist_ok=True)
        settings = {
            "dht-enabled": self.dht, "lpd-enabled": lsd, "pex-enabled": pex, "utp-enabled": self.utp,
            "port-forwarding-enabled": False,
            "encryption": {"off": 0, "allow": 1, "require": 2}[self.crypto], "bind-address-ipv4": self.address,
            "bind-address-ipv6": "::1", "peer-port": self.port, "rpc-port": self.port + 10000,
            "rpc-bind-address": "127.0.0.1", "rpc-whitelist-enabled": False, "rpc-host-whitelist-enabled": False,
            "download-dir": folder, "preallocation": 0, "rename-partial-files": False, "start-added-torrents": True,
            "script-torrent-done-enabled": True, "script-torrent-done-filename": self.done_hook,
            "download-queue-enabled": False, "seed-queue-enabled": False, "message-level": 2}
        with open(os.path.join(config, "settings.json"), "w") as f:
            json.dump(settings, f)
        self.torrent, self.folder, self.session, self.added = torrent, folder, "", False
        return self.run([self.program, "-f", "-g", config])

    get = seed

    def rpc(self, method, **arguments):
        for _ in range(3):
            try:
                return get_json(f"http://127.0.0.1:{self.port + 10000}/transmission/rpc",
                                json.dumps({"method": method, "arguments": arguments}).encode(),
                                {"X-Transmission-Session-Id": self.session})["arguments"]
            except urllib.error.HTTPError as e:
                if e.code != 409:
                    raise
                self.session = e.headers["X-Transmission-Session-Id"]
            except OSError:
                return None
        return None

    def status(self):
        if not self.added:
            self.added = self.rpc("torrent-add", filename=self.torrent, **{"download-dir": self.folder}) is not None
            if not self.added:
                return None
        answer = self.rpc("torrent-get", fields=["status", "percentDone", "leftUntilDone", "errorString"])
        return answer["torrents"][0] if answer and answer["torrents"] else None

    def started(self):
        return self.status() is not None

    def ready(self):
        s = self.status()
        return s is not None and s["status"] == 6 and s["percentDone"] == 1

    def finished(self):
        self.status()
        return super().finished()


class Aria2(Client):
    program = "aria2c"

    def argv(self, torrent, folder, lsd, pex):
        yes = {True: "true", False: "false"}
        return [self.program, "--no-conf=true", "--enable-dht=false", "--enable-dht6=false",
                f"--bt-enable-lpd={yes[lsd]}", f"--enable-peer-exchange={yes[pex]}",
                f"--bt-require-crypto={yes[self.crypto == 'require']}",
                f"--bt-min-crypto-level={'arc4' if self.crypto == 'require' else 'plain'}", f"--interface={self.address}", f"--listen-port={self.port}",
                f"--dir={folder}", "--seed-ratio=0", "--seed-time=1000", "--console-log-level=notice",
                "--show-console-readout=false", "--summary-interval=0", "--disable-ipv6=true", "--file-allocation=none",
                "--save-session-interval=0", "--auto-save-interval=0", "--enable-rpc=true",
                f"--rpc-listen-port={self.port + 10000}", f"--on-bt-download-complete={self.done_hook}",
                "--allow-overwrite=true", torrent]

    def seed(self, torrent, folder, lsd=False, pex=True):
        return self.run(self.argv(torrent, folder, lsd, pex)[:-1] +
                        ["--check-integrity=true", "--bt-hash-check-seed=true", torrent])

    def get(self, torrent, folder, lsd=False, pex=True):
        return self.run(self.argv(torrent, folder, lsd, pex))

    def status(self):
        ask = {"jsonrpc": "2.0", "id": 1, "method": "aria2.tellActive"}
        try:
            answer = get_json(f"http://127.0.0.1:{self.port + 10000}/jsonrpc", json.dumps(ask).encode())["result"]
        except OSError:
            return None
        return answer[0] if answer else None

    def started(self):
        return self.status() is not None

    def ready(self):
        s = self.status()
        return s is not None and s.get("seeder") == "true" and s["completedLength"] == s["totalLength"] and \
            "verifiedLength" not in s


class Rtorrent(Client):
    program = "rtorrent"

    def seed(self, torrent, folder, lsd=False, pex=True):
        hashed, self.hashed_mark = hook(self.work, "hashed")
        session = os.path.join(self.work, "session")
        os.makedirs(session, exist_ok=True)
        if torrent.startswith("magnet:"):
            torrent = '\\"' + torrent + '\\"'
        rc = os.path.join(self.work, "rc")
        crypto = {"off": "none", "allow": "allow_incoming,try_outgoing,enable_retry",
                  "require": "allow_incoming,try_outgoing,require,require_RC4"}[self.crypto]
        with open(rc, "w") as f:
            f.write(f"""system.daemon.set = true
session.path.set = {session}
directory.default.set = {folder}
network.port_range.set = {self.port}-{self.port}
network.port_random.set = no
network.bind_address.set = {self.address}
network.local_address.set = {self.address}
dht.mode.set = disable
protocol.pex.set = {"yes" if pex else "no"}
protocol.encryption.set = {crypto}
method.set_key = event.download.finished,shoal,"execute2={self.done_hook}"
method.set_key = event.download.hash_done,shoal,"execute2={hashed}"
schedule2 = add,0,0,"load.start={torrent}"
""")
        os.makedirs(folder, exist_ok=True)
        self.began = time.monotonic()
        return self.run([self.program, "-n", "-o", f"import={rc}"])

    get = seed

    def started(self):
        return os.path.exists(self.hashed_mark) or time.monotonic() > self.began + 2

    def ready(self):
        return os.path.exists(self.hashed_mark) and time.time() - os.path.getmtime(self.hashed_mark) > 0.5


class Session:
    """libtorrent with the face of a Client."""

    crypto = "off"  # as a Client's, or "plain": the handshake of MSE, and then a stream that is not hidden
    utp = False  # and no TCP

    @staticmethod
    def version():
        return "libtorrent"

    def __init__(self, work, address, port):
        self.address, self.port = address, port

    def seed(self, torrent, folder, lsd=False, pex=True):
        os.makedirs(folder, exist_ok=True)
        policy = {"off": 2, "allow": 1, "require": 0, "plain": 0}[self.crypto]
        level = {"require": 2, "plain": 1}.get(self.crypto, 3)
        self.node = Libtorrent(self.address, self.port, enable_lsd=lsd, out_enc_policy=policy, in_enc_policy=policy,
                               allowed_enc_level=level, min_reconnect_time=1,
                               enable_outgoing_utp=self.utp, enable_incoming_utp=self.utp,
                               enable_outgoing_tcp=not self.utp, enable_incoming_tcp=not self.utp)
        wait(lambda: sum(kind == "listen_succeeded_alert" for kind, _ in self.node.pump()) >= 2, "libtorrent listens")
        self.node.add(torrent, folder)
        return self

    get = seed

    def started(self):
        return True

    def ready(self):
        return self.node.finished()

    finished = ready

    def why(self):
        return self.node.why()

    def stop(self):
        self.node.stop()


CLIENTS = {"libtorrent": Session, "transmission": Transmission, "aria2": Aria2, "rtorrent": Rtorrent}
