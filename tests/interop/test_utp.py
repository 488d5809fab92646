"""test_utp.py - peers by uTP alone: shoal with libtorrent and Transmission, each way; and what is used when both carry.

Nothing can fall back: who is not under test has TCP switched off, or the other side does not listen by it. libtorrent
says itself which kind of socket it used. Prints a table; exits 1 on any failure, 77 where no closed namespace can be had.
"""
import os
import subprocess
import sys

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from clients import Transmission  # noqa: E402
from swarmkit import Libtorrent, Shoal, digests, tree, wait  # noqa: E402

SIZE = 8 << 20
UTP = {"enable_outgoing_tcp": False, "enable_incoming_tcp": False, "enable_outgoing_utp": True,
       "enable_incoming_utp": True}
UTP_SOCKET = 1 << 17  # of peer_info.flags: the module has no name for it
BOTH = {"enable_outgoing_utp": True, "enable_incoming_utp": True}


class Case:
    def __init__(self, work, name):
        self.work = os.path.join(work, name.replace(" ", "_"))
        self.source = os.path.join(self.work, "source")
        os.makedirs(self.source)
        self.content = os.path.join(self.source, "content")
        tree(self.source, {"content": SIZE}, 11)
        self.torrent = os.path.join(self.work, "t.torrent")
        subprocess.run([Shoal.program, "create", self.content, "-o", self.torrent, "--format", "v1", "--quiet"],
                       check=True)

    def seed(self, at, *more):
        seed = Shoal(self.work + "/seed", "seed", self.torrent, "-d", self.source, "--listen", at, *more)
        wait(lambda: seed.last("started"), "shoal starts to seed", seed)
        return seed

    def get(self, at, peer, *more):
        return Shoal(self.work + "/get", "get", self.torrent, "-o", self.work + "/copy", "--listen", at, "--peer", peer,
                     "--timeout", "30", *more)

    def complete(self, leech, *explain):
        wait(lambda: leech.last("complete"), "shoal fetches", leech, *explain)
        assert leech.process.wait(10) == 0, f"exit code {leech.process.returncode}"
        self.same()
        return leech.last("complete")["seconds"]

    def same(self):
        assert digests(self.work + "/copy/content") == digests(self.content), "the copy differs"


def sockets(client):
    return {"utp" if p.flags & UTP_SOCKET else "tcp" for p in client.handle.get_peer_info()}


def shoal_from_shoal(case, host):
    seed = case.seed(f"{host}:7001", "--no-tcp")
    leech = case.get(f"{host}:7002", f"{host}:7001", "--no-tcp")
    try:
        return case.complete(leech, seed)
    finally:
        leech.stop()
        seed.stop()


def shoal_from_libtorrent(case, host, listen):
    seed = Libtorrent(host, 7001, **UTP).add(case.torrent, case.source)
    wait(seed.finished, "libtorrent checks its data", seed)
    leech = case.get(listen, f"{host}:7001", "--no-tcp")
    try:
        return case.complete(leech, seed)
    finally:
        leech.stop()
        seed.stop()


def libtorrent_from_shoal(case, settings, shoal_options, want):
    seed = case.seed("127.0.0.1:7001", *shoal_options)
    leech = Libtorrent("127.0.0.2", 7002, **settings).add(case.torrent, case.work + "/copy", [("127.0.0.1", 7001)])
    seen = set()
    try:
        def done():
            seen.update(sockets(leech))
            return leech.finished()
        wait(done, "libtorrent fetches from shoal", seed, leech)
        assert seen == {want}, f"by {seen}"
        case.same()
        return None
    finally:
        leech.stop()
        seed.stop()


def shoal_meets_both(case):
    """A neighbour that speaks both is dialled by TCP."""
    seed = Libtorrent("127.0.0.1", 7001, **BOTH).add(case.torrent, case.source)
    wait(seed.finished, "libtorrent checks its data", seed)
    leech = case.get("127.0.0.2:7002", "127.0.0.1:7001", "--down", "16M")
    seen = set()
    try:
        def done():
            seen.update(sockets(seed))
            return leech.last("complete")
        wait(done, "shoal fetches", leech, seed)
        assert seen == {"tcp"}, f"by {seen}"
        return case.complete(leech, seed)
    finally:
        leech.stop()
        seed.stop()


def shoal_falls_back(case):
    """It has no TCP, which shows only when it is tried."""
    seed = Libtorrent("127.0.0.1", 7001, **UTP).add(case.torrent, case.source)
    wait(seed.finished, "libtorrent checks its data", seed)
    leech = case.get("127.0.0.2:7002", "127.0.0.1:7001")
    try:
        return case.complete(leech, seed)
    finally:
        leech.stop()
        seed.stop()


class TransmissionUtp(Transmission):
    """It has no switch for TCP: whoever it meets must not speak it."""

    utp = True


def shoal_from_transmission(case):
    seed = TransmissionUtp(case.work + "/tr", "127.0.0.1", 7001).seed(case.torrent, case.source)
    try:
        wait(seed.ready, "Transmission starts to seed", seed)
        leech = case.get("127.0.0.2:7002", "127.0.0.1:7001", "--no-tcp")
        try:
            return case.complete(leech, seed)
        finally:
            leech.stop()
    finally:
        seed.stop()


CASES = [
    ("shoal from shoal", lambda c: shoal_from_shoal(c, "127.0.0.1")),
    ("shoal from shoal v6", lambda c: shoal_from_shoal(c, "[::1]")),
    ("shoal from libtorrent", lambda c: shoal_from_libtorrent(c, "127.0.0.1", "127.0.0.2:7002")),
    ("shoal from libtorrent v6", lambda c: shoal_from_libtorrent(c, "[::1]", "[::1]:7002")),
    ("libtorrent from shoal", lambda c: libtorrent_from_shoal(c, UTP, ["--no-tcp"], "utp")),
    ("libtorrent with TCP from shoal without", lambda c: libtorrent_from_shoal(c, BOTH, ["--no-tcp"], "utp")),
    ("shoal from libtorrent with both", shoal_meets_both),
    ("shoal with both from libtorrent without TCP", shoal_falls_back),
    ("shoal from Transmission", shoal_from_transmission),
]


def one(name, run):
    with scratch("utp") as work:
        seconds = run(Case(work, name))
    return f"{SIZE / seconds / (1 << 20):7.0f} MiB/s" if seconds else None


def main():
    cases = Cases()
    for name, run in CASES:
        if "Transmission" in name and Transmission.version() is None:
            print(f"cannot  {name:44} it is not installed", flush=True)
        else:
            cases.run(name, one, name, run)
    sys.exit(cases.end())


main()
