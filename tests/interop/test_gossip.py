"""test_gossip.py - peers find each other with nobody naming them: LSD and PEX, among shoal and with libtorrent; a crowd.

One network namespace, closed. A pair of interfaces carries the multicast, as a LAN would. The last case
holds a flood of connections against --memory.
"""
import os
import socket
import struct
import subprocess
import sys
import time

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from swarmkit import Libtorrent, Shoal, lt, tree, wait  # noqa: E402

LAN = [f"10.77.0.{i}" for i in range(1, 9)]
FLOOD = 500
MEMORY = 16
MAY = MEMORY + 32  # MiB
SANITIZED = os.environ.get("SHOAL_SHORT") == "1"


def lan():
    """Addresses of our own on an interface that leads nowhere; what is sent to a group on it comes back to us."""
    for words in (["link", "add", "lan0", "type", "veth", "peer", "name", "lan1"], ["link", "set", "lan1", "up"],
                  ["link", "set", "lan0", "up"], *[["addr", "add", f"{a}/24", "dev", "lan0"] for a in LAN]):
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"SKIPPED: no pair of interfaces: ip {' '.join(words)}: {done.stderr.strip()}", flush=True)
            sys.exit(77)


class Case:
    def __init__(self, work, name, private=False, size=3_000_000):
        self.work = os.path.join(work, name.replace(" ", "_"))
        self.source = os.path.join(self.work, "source")
        os.makedirs(self.source)
        tree(self.source, {"content": size}, 5)
        self.torrent = os.path.join(self.work, "t.torrent")
        subprocess.run([Shoal.program, "create", os.path.join(self.source, "content"), "-o", self.torrent, "--format",
                        "v1", "--piece-size", "64K", "--quiet"] + (["--private"] if private else []), check=True)
        self.running = []

    def shoal(self, name, *args):
        s = Shoal(os.path.join(self.work, name), *args)
        self.running.append(s)
        return s

    def seed(self, address, *args):
        s = self.shoal("seed", "seed", self.torrent, "-d", self.source, "--listen", f"{address}:7001", *args)
        wait(lambda: s.last("started"), "shoal is ready to seed", s)
        return s

    def get(self, name, address, *args):
        return self.shoal(name, "get", self.torrent, "-o", os.path.join(self.work, name + ".copy"), "--listen",
                          f"{address}:7002", *args)

    def libtorrent(self, address, folder, peers=(), lsd=False, pex=True):
        s = Libtorrent(address, 7003, enable_lsd=lsd, outgoing_interfaces=address)
        s.add(self.torrent, folder, lsd=lsd)  # from the start: it shouts when it has checked, or in five minutes
        if not pex:
            s.handle.set_flags(lt.torrent_flags.disable_pex)
        for host, port in peers:
            s.handle.connect_peer((host, port))
        self.running.append(s)
        return s

    def stop(self):
        for s in self.running:
            s.stop()


def peers_of(s):
    event = s.last("progress")
    return event["peers"] if event else 0


# ---- neighbours -----------------------------------------------------------------------


def neighbours_find_each_other(case):
    case.seed(LAN[0])
    leech = case.get("leech", LAN[1], "--no-pex")
    wait(lambda: leech.last("complete"), "two of us find each other by LSD", leech)


def who_will_not_hear_does_not(case):
    case.seed(LAN[0])
    leech = case.get("leech", LAN[1], "--no-pex", "--no-lsd", "--timeout", "4")
    assert leech.process.wait(15) == 5, "nobody was to be found"  # no peer was ever reachable


def private_ones_keep_silent(case):
    case.seed(LAN[0])
    leech = case.get("leech", LAN[1], "--timeout", "4")
    assert leech.process.wait(15) == 5, "nobody was to be found"


def libtorrent_hears_us(case):
    case.seed(LAN[0])
    other = case.libtorrent(LAN[2], os.path.join(case.work, "lt"), lsd=True)
    wait(other.finished, "libtorrent finds us by LSD, or we it", other)


def we_hear_libtorrent(case):
    # It shouts when it begins; whoever comes later shouts himself, and is called.
    other = case.libtorrent(LAN[2], case.source, lsd=True)
    wait(other.checked, "libtorrent checks its data", other)
    leech = case.get("leech", LAN[1], "--no-pex")
    wait(lambda: leech.last("complete"), "we fetch from libtorrent, found by LSD", leech, other)


# ---- peers of peers ---------------------------------------------------------------------


def ours_meet_through_us(case):
    case.seed(LAN[0], "--no-lsd", "--up", "60K")
    both = [case.get(f"leech{i}", LAN[1 + i], "--no-lsd", "--peer", f"{LAN[0]}:7001") for i in range(2)]
    wait(lambda: all(peers_of(s) >= 2 for s in both), "two who know one meet by PEX", *both)


def libtorrents_meet_through_us(case):
    case.seed(LAN[0], "--no-lsd", "--up", "60K")
    # One after the other: told at once they dial each other at once, and each closes what the other keeps.
    both = []
    for i in range(2):
        both.append(case.libtorrent(LAN[2 + i], os.path.join(case.work, f"lt{i}"), [(LAN[0], 7001)]))
        time.sleep(2)
    wait(lambda: all(s.handle.status().num_peers >= 2 for s in both), "two libtorrents meet by our PEX", *both)


def ours_meet_through_libtorrent(case):
    hub = case.libtorrent(LAN[2], case.source)
    hub.session.apply_settings({"upload_rate_limit": 60_000, "ignore_limits_on_local_network": False})
    hub.handle.set_upload_limit(60_000)
    wait(hub.checked, "libtorrent checks its data", hub)
    both = [case.get(f"leech{i}", LAN[i], "--no-lsd", "--peer", f"{LAN[2]}:7003") for i in range(2)]
    wait(lambda: all(peers_of(s) >= 2 for s in both), "two of us meet by libtorrent's PEX", hub, *both)


# ---- a crowd ------------------------------------------------------------------------------


def rss(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:")) / 1024


def frame(kind, body=b""):
    return struct.pack(">IB", 1 + len(body), kind) + body


def a_crowd_does_not_burst_the_memory(case):
    """Greets, wants, asks for much, offers a great message half, and takes nothing: 500 times."""
    seed = case.seed(LAN[0], "--no-lsd", "--memory", f"{MEMORY}M", "--max-peers", "1000")
    info = lt.torrent_info(case.torrent).info_hash().to_bytes()
    words = b"\x13BitTorrent protocol" + bytes.fromhex("0000000000100004") + info
    asks = b"".join(frame(6, struct.pack(">III", i % 45, 16384 * (i // 45 % 4), 16384)) for i in range(400))
    crowd = []
    try:
        for i in range(FLOOD):
            s = socket.socket()
            s.bind((LAN[1 + i % 7], 0))
            s.settimeout(10)
            s.connect((LAN[0], 7001))
            s.setblocking(False)
            try:
                s.send(words + b"-XX0000-%012d" % i + frame(15) + frame(2) + asks +
                       frame(20, b"\x00d1:md6:ut_pexi1ee1:pi%dee" % (2000 + i)) + struct.pack(">IB", 60000, 20) +
                       bytes(3000))
            except OSError:
                pass  # shown the door
            crowd.append(s)
            time.sleep(0.002)
        time.sleep(3)
        most = rss(seed.process.pid)
        print(f"        {FLOOD} connections at --memory {MEMORY}M: {most:.1f} MiB at the most, {MAY} allowed", flush=True)
        assert seed.process.poll() is None, "it is gone"
        if not SANITIZED:  # whose shadow and quarantine are no memory of ours
            assert most <= MAY, f"{most:.1f} MiB"
    finally:
        for s in crowd:
            s.close()
    leech = case.get("leech", LAN[1], "--no-lsd", "--peer", f"{LAN[0]}:7001")
    wait(lambda: leech.last("complete"), "an honest one is served after it", leech, seed)


CASES = [
    (neighbours_find_each_other, {}),
    (who_will_not_hear_does_not, {}),
    (private_ones_keep_silent, {"private": True}),
    (libtorrent_hears_us, {}),
    (we_hear_libtorrent, {}),
    (ours_meet_through_us, {}),
    (libtorrents_meet_through_us, {}),
    (ours_meet_through_libtorrent, {}),
    (a_crowd_does_not_burst_the_memory, {}),
]


def one(run, work, how):
    case = Case(work, run.__name__, **how)
    try:
        run(case)
    finally:
        case.stop()


def main():
    lan()
    cases = Cases()
    with scratch("gossip") as work:
        for run, how in CASES:
            cases.run(run.__name__, one, run, work, how)
    sys.exit(cases.end())


main()
