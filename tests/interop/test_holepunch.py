"""test_holepunch.py - two behind NATs of Linux's own (nftables), and one in between that both reach (BEP 55).

    home --- router === world === router --- home
                          |
                      rendezvous

Each home is a network of its own with the same private addresses, each router masquerades and lets nobody in who was not
spoken to; the world drops what is meant for private networks. The rendezvous has next to nothing to give, so that a copy proves
that the two met. Where a router keeps a home's port for all (the usual kind), they do; where it takes another for each
place, no rendezvous can help, and the one who waits is told so (SHOAL_LONG=1, since that takes half a minute; as does a
libtorrent in between, which tells who is there once a minute).
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import closed
from closed import PYTHON

closed.enter()
from cases import Cases, scratch  # noqa: E402
from spacekit import Space, join, skip  # noqa: E402
from swarmkit import Shoal, digests, tree  # noqa: E402

LONG = os.environ.get("SHOAL_LONG") == "1"
HOME, GATE, PORT = "192.168.1.2", "192.168.1.1", 6881
OUTSIDE = ["81.2.3.1", "92.4.5.2"]  # any public addresses: the networks are closed
MEETING = "103.6.7.3"
SAMENESS, SYMMETRY = "", "fully-random"
TABLES = """table ip nat {{
 chain after {{ type nat hook postrouting priority 100; oifname {out} masquerade {how}; }}
}}
table ip filter {{
 chain input {{ type filter hook input priority 0; policy drop; iifname {inside} accept; ct state established,related accept; }}
 chain forward {{ type filter hook forward priority 0; policy drop; iifname {inside} accept; ct state established,related accept; }}
}}
"""


class Nets:
    """kinds: how each router chooses a port."""

    def __init__(self, work, kinds):
        self.work = work
        self.source = os.path.join(work, "source")
        tree(os.path.join(self.source, "content"), {"a": 1_500_003, "b/c": 70_000}, 11)
        self.torrent = os.path.join(work, "t.torrent")
        subprocess.run([Shoal.program, "create", os.path.join(self.source, "content"), "-o", self.torrent, "--piece-size",
                        "32K", "--format", "v1", "--quiet"], check=True)
        self.world, self.routers, self.homes, self.running = Space(), [], [], []
        self.world.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        self.meeting = Space()
        join(self.meeting, MEETING + "/24", self.world, MEETING.rpartition(".")[0] + ".254/24")
        self.meeting.run("ip", "route", "add", "default", "via", MEETING.rpartition(".")[0] + ".254")
        for private in ("10.0.0.0/8", "192.168.0.0/16"):
            self.world.run("ip", "route", "add", "blackhole", private)
        for i, kind in enumerate(kinds):
            home, router = Space(), Space()
            self.homes.append(home)
            self.routers.append(router)
            _, inside = join(home, HOME + "/24", router, GATE + "/24")
            out, _ = join(router, OUTSIDE[i] + "/24", self.world, OUTSIDE[i].rpartition(".")[0] + ".254/24")
            home.run("ip", "route", "add", "default", "via", GATE)
            router.run("ip", "route", "add", "default", "via", OUTSIDE[i].rpartition(".")[0] + ".254")
            router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
            tables = os.path.join(work, f"tables{i}")
            with open(tables, "w") as f:
                f.write(TABLES.format(out=out, inside=inside, how=kind))
            try:
                router.run("nft", "-f", tables)
            except AssertionError as e:
                skip(f"no address translation in this kernel: {e}")

    def shoal(self, space, *args):
        folder = tempfile.mkdtemp(dir=self.work)

        class There(Shoal):
            def __init__(me):
                me.log, me.out = folder + "/log", open(folder + "/events", "wb")
                me.process = space.start([Shoal.program, *args, "--json", "--state", folder + "/state", "--no-lsd",
                                          "--no-dht", "--no-portmap", "--no-trackers"],
                                         stdout=me.out, stderr=open(me.log, "wb"))
        me = There()
        self.running.append(me)
        return me

    def seed(self):
        return self.shoal(self.homes[0], "seed", self.torrent, "-d", self.source, "--listen", f"0.0.0.0:{PORT}",
                          "--peer", f"{MEETING}:{PORT}")

    def rendezvous(self):
        return self.shoal(self.meeting, "get", self.torrent, "-o", self.work + "/middle", "--down", "1K", "--listen",
                          f"{MEETING}:{PORT}")

    def leech(self, seconds):
        return self.shoal(self.homes[1], "get", self.torrent, "-o", self.work + "/copy", "--listen", f"0.0.0.0:{PORT}",
                          "--peer", f"{MEETING}:{PORT}", "--timeout", str(seconds))

    def libtorrent(self, space, *args):
        out = open(os.path.join(tempfile.mkdtemp(dir=self.work), "log"), "w")
        p = space.start([PYTHON, os.path.abspath(__file__), "libtorrent", self.torrent, *args],
                        stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
        p.log, p.stop = out.name, lambda: (p.kill(), p.wait())
        p.why = lambda: open(p.log).read()[-1500:]
        self.running.append(p)
        return p

    def end(self):
        for r in reversed(self.running):
            r.stop()
        for space in (*self.homes, *self.routers, self.meeting, self.world):
            space.__exit__()


def libtorrent(torrent, folder, listen, *peers):
    """In a process of its own, since a process is in one network: until it is killed."""
    from swarmkit import Libtorrent
    node = Libtorrent(*listen.rsplit(":", 1), enable_outgoing_utp=True, enable_incoming_utp=True,
                      download_rate_limit=0 if peers else 1024)
    node.add(torrent, folder, [(p.split(":")[0], int(p.split(":")[1])) for p in peers])
    while True:
        node.seen = []
        node.pump()
        print("\n".join(m for _, m in node.seen if m), flush=True)
        time.sleep(0.2)


def wait(done, seconds):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def meet(nets, seconds, seed=None, rendezvous=None, until=lambda leech: False):
    """The one who waits, once it is done, or until() it has said something, or time is up; and whether it is done."""
    middle = rendezvous(nets) if rendezvous else nets.rendezvous()
    time.sleep(1)
    first = seed(nets) if seed else nets.seed()
    time.sleep(2)  # the rendezvous names those who are there when another comes, and then once a minute
    leech = nets.leech(seconds)
    wait(lambda: leech.last("complete") or leech.process.poll() is not None or until(leech), seconds + 5)
    done = leech.last("complete")
    if done:
        by = [e for e in leech.events() if e["event"] == "peer_joined" or e["event"] == "peer"]
        assert digests(nets.work + "/copy/content") == digests(nets.source + "/content"), "the copy differs"
        assert done["downloaded"] >= 1_500_000, by
    return leech, done, f"{leech.why()}\n-- seed\n{first.why()}\n-- rendezvous\n{middle.why()}"


def the_usual_kind(work):
    nets = Nets(work, [SAMENESS, SAMENESS])
    try:
        _, done, why = meet(nets, 90)
        assert done, why
        return f"after {done['seconds']:.1f} s"
    finally:
        nets.end()


def another_port_for_each(work):
    nets = Nets(work, [SYMMETRY, SYMMETRY])
    try:
        def told(leech):
            said = [e["what"] for e in leech.events() if e["event"] == "warning" and OUTSIDE[0] in e["what"]]
            return said and "behind a router" in said[0]
        leech, done, why = meet(nets, 90, until=told)
        assert not done, "they met: the routers are not what they should be"
        assert told(leech), why
        return f"and it is said after {leech.last('warning')['t'] - leech.last('started')['t']:.1f} s"
    finally:
        nets.end()


def libtorrent_seeds(work):
    nets = Nets(work, [SAMENESS, SAMENESS])
    try:
        _, done, why = meet(nets, 90, seed=lambda n: n.libtorrent(n.homes[0], n.source, f"0.0.0.0:{PORT}",
                                                                  f"{MEETING}:{PORT}"))
        assert done, why
        return f"after {done['seconds']:.1f} s"
    finally:
        nets.end()


def libtorrent_in_between(work):
    nets = Nets(work, [SAMENESS, SAMENESS])
    try:
        _, done, why = meet(nets, 100, rendezvous=lambda n: n.libtorrent(n.meeting, n.work + "/middle", f"{MEETING}:{PORT}"))
        assert done, why
        return f"after {done['seconds']:.1f} s"
    finally:
        nets.end()


CASES = [the_usual_kind, libtorrent_seeds] + ([another_port_for_each, libtorrent_in_between] if LONG else [])


def one(case):
    with scratch("holepunch") as work:
        return case(work)


def main():
    if not shutil.which("nft"):
        skip("nft is not installed: tools/setup does that")
    cases = Cases()
    with ThreadPoolExecutor(len(CASES)) as pool:
        list(pool.map(lambda case: cases.run(case.__name__, one, case), CASES))
    sys.exit(cases.end())


if len(sys.argv) > 1 and sys.argv[1] == "libtorrent":
    libtorrent(*sys.argv[2:])
else:
    main()
