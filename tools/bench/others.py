"""tools/bench/others.py - engines that are programs of their own: aria2 and rTorrent. They learn of peers from the tracker,
and say that they are done through a hook, a script that writes the line a Node waits for to the engine's own stdout."""
import os
import shutil
import socket
import stat
import time

from harness import Failed, Node, now


def announced(torrent, url, to):
    """The path of a copy of `torrent`, in `to`, that names this tracker."""
    with open(torrent, "rb") as f:
        raw = f.read()
    if not raw.startswith(b"d4:info"):
        raise Failed(f"{torrent} is not one of ours")
    path = os.path.join(to, "announced.torrent")
    with open(path, "wb") as f:
        f.write(b"d8:announce%d:%s" % (len(url), url.encode()) + raw[1:])
    return path


def hook(folder, event):
    """A script that says `event`; its parent is the engine."""
    path = os.path.join(folder, "on_" + event)
    with open(path, "w", encoding="ascii") as f:
        f.write(f"#!/bin/sh\necho '{{\"event\": \"{event}\"}}' > /proc/$PPID/fd/1\n")
    os.chmod(path, stat.S_IRWXU)
    return path


def parts(listen):
    host, _, port = listen.rpartition(":")
    return host, int(port)


class Aria2:
    name = "aria2"
    ends_durable = False

    def __init__(self, tracker):
        self.tracker = tracker  # a function: peers -> URL

    def available(self):
        return None if shutil.which("aria2c") else "no aria2c installed"

    def _node(self, torrent, folder, listen, peers, state, more):
        host, port = parts(listen)
        os.makedirs(state, exist_ok=True)
        argv = ["aria2c", "--no-conf=true", "--enable-dht=false", "--enable-dht6=false", "--bt-enable-lpd=false",
                "--disable-ipv6=true", f"--interface={host}", f"--listen-port={port}", f"--dir={folder}", "--seed-ratio=0",
                "--console-log-level=error", "--show-console-readout=false", "--summary-interval=0",
                "--file-allocation=none", "--disk-cache=64M", "--bt-max-peers=0", "--bt-request-peer-speed-limit=1000M",
                f"--on-bt-download-complete={hook(state, 'complete')}", *more,
                announced(torrent, self.tracker(*peers), state)]
        return Node(self.name, argv, state)

    def seed(self, torrent, folder, listen, state):
        """It is believed to have all: it would hash the file first otherwise, and says nothing when it is through."""
        node = self._node(torrent, folder, listen, [listen], state, ["--bt-seed-unverified=true", "--check-integrity=false"])
        end = now() + 20
        while node.ended is None and now() < end:
            with socket.socket() as s:
                if s.connect_ex(parts(listen)) == 0:
                    node.say("started")
                    break
            time.sleep(0.02)
        return node

    def join(self, torrent, folder, listen, peers, state):
        return self._node(torrent, folder, listen, peers, state, [])


class Rtorrent:
    name = "rtorrent"
    ends_durable = False

    def __init__(self, tracker):
        self.tracker = tracker

    def available(self):
        return None if shutil.which("rtorrent") else "no rtorrent installed"

    def _node(self, torrent, folder, listen, peers, state):
        host, port = parts(listen)
        os.makedirs(os.path.join(state, "session"), exist_ok=True)
        settings = [
            "system.daemon.set = true", f"session.path.set = {state}/session", f"directory.default.set = {folder}",
            f"network.port_range.set = {port}-{port}", "network.port_random.set = no", f"network.bind_address.set = {host}",
            f"network.local_address.set = {host}", "dht.mode.set = disable", "protocol.pex.set = yes",
            "protocol.encryption.set = none", "trackers.use_udp.set = no", "throttle.max_uploads.global.set = 500",
            "throttle.max_uploads.set = 100", "throttle.max_peers.normal.set = 200", "network.max_open_files.set = 600",
            "network.receive_buffer.size.set = 4M", "network.send_buffer.size.set = 4M", "pieces.memory.max.set = 4096M",
            "pieces.hash.on_completion.set = no", "pieces.preload.type.set = 0",
            f'method.set_key = event.download.finished,bench,"execute2={hook(state, "complete")}"',
            f'method.set_key = event.download.hash_done,bench,"execute2={hook(state, "started")}"',
            f'schedule2 = bench,0,0,"load.start={announced(torrent, self.tracker(*peers), state)}"']
        with open(os.path.join(state, "rc"), "w", encoding="utf-8") as f:
            f.write("\n".join(settings) + "\n")
        return Node(self.name, ["rtorrent", "-n", "-o", f"import={state}/rc"], state)

    def seed(self, torrent, folder, listen, state):
        node = self._node(torrent, folder, listen, [listen], state)
        node.wait("started", 60)
        time.sleep(0.5)  # it starts the torrent some time after its hash is done
        return node

    def join(self, torrent, folder, listen, peers, state):
        return self._node(torrent, folder, listen, peers, state)
