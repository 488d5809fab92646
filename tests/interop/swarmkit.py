"""What the interop tests share: sample data, shoal processes, libtorrent sessions, an independent hash.

Everything runs in the network namespace the test was started in, on addresses of its own (127.0.x.y).
"""
import hashlib
import json
import os
import random
import signal
import subprocess
import time

import libtorrent as lt

TIMEOUT = float(os.environ.get("SHOAL_INTEROP_TIMEOUT", "25"))  # seconds any single transfer may take


def tree(folder, sizes, seed):
    """Files of these sizes with bytes that only `seed` decides."""
    rnd = random.Random(seed)
    for name, size in sizes.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(rnd.randbytes(size))


def digests(path):
    if os.path.isfile(path):
        return {"": hashlib.sha256(open(path, "rb").read()).hexdigest()}
    out = {}
    for where, _, files in os.walk(path):
        for name in files:
            full = os.path.join(where, name)
            out[os.path.relpath(full, path)] = hashlib.sha256(open(full, "rb").read()).hexdigest()
    return out


def end(process, seconds):
    """Whether it ends within so long of a SIGTERM; it is gone either way."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
    return True


class Shoal:
    """One shoal process, its JSON events read as they come."""

    program = os.environ.get("SHOAL", "shoal")

    def __init__(self, work, *args):
        os.makedirs(work, exist_ok=True)
        self.log = os.path.join(work, "log")
        self.out = open(os.path.join(work, "events"), "wb")
        self.process = subprocess.Popen([self.program, *args, "--json", "--state", os.path.join(work, "state")],
                                        stdout=self.out, stderr=open(self.log, "wb"))

    def events(self):
        with open(self.out.name, "rb") as f:
            return [json.loads(line) for line in f.read().split(b"\n")[:-1] if line.strip()]

    def last(self, kind):
        return next((e for e in reversed(self.events()) if e["event"] == kind), None)

    def stop(self):
        if not end(self.process, 10):
            raise AssertionError("shoal did not stop within 10 s of SIGTERM")
        self.out.close()
        return self.process.returncode

    def why(self):
        return open(self.log, errors="replace").read()[-1500:] + "\n" + "\n".join(map(str, self.events()[-5:]))


class Libtorrent:
    """One libtorrent session with one torrent, closed to everything but its listen address."""

    def __init__(self, address, port, **settings):
        pack = {
            "listen_interfaces": f"{address}:{port}", "outgoing_interfaces": "",
            "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
            "enable_outgoing_utp": False, "enable_incoming_utp": False,
            "out_enc_policy": 2, "in_enc_policy": 2,  # plain text only
            "allow_multiple_connections_per_ip": True,
            "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.status_notification
            | lt.alert.category_t.peer_notification | lt.alert.category_t.connect_notification,
        }
        pack.update(settings)
        self.session = lt.session(pack)
        self.seen = []

    def add(self, torrent, folder, peers=(), lsd=False):
        magnet = torrent.startswith("magnet:")
        params = lt.parse_magnet_uri(torrent) if magnet else lt.add_torrent_params()
        if not magnet:
            params.ti = lt.torrent_info(torrent)
        params.save_path = folder
        params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        params.flags |= lt.torrent_flags.disable_dht
        if not lsd:
            params.flags |= lt.torrent_flags.disable_lsd
        self.handle = self.session.add_torrent(params)
        for host, port in peers:
            self.handle.connect_peer((host, port))
        return self

    def pump(self):
        for a in self.session.pop_alerts():
            self.seen.append((type(a).__name__, a.message()))
        return self.seen

    def finished(self):
        """By its own event, and only once it has looked at what lies there."""
        self.pump()
        return any(kind == "torrent_finished_alert" for kind, _ in self.seen)

    def checked(self):
        self.pump()
        return any(kind == "torrent_checked_alert" for kind, _ in self.seen)

    def why(self):
        self.pump()
        s = self.handle.status()
        return f"libtorrent: {s.state} {s.progress:.3f} peers {s.num_peers} " + " | ".join(m for _, m in self.seen[-8:])

    def stop(self):
        self.session.pause()
        del self.session


def wait(done, what, *explain):
    end = time.monotonic() + TIMEOUT
    while not done():
        if time.monotonic() > end:
            raise AssertionError(f"time is up: {what}\n" + "\n".join(e.why() for e in explain))
        time.sleep(0.02)
