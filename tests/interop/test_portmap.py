"""test_portmap.py - a port at a real home router (miniupnpd): mapped by NAT-PMP and by UPnP, used from outside, taken back.

Three networks: ours, the router's with its address translation, the world. Who fetches in the world knows the router's
address alone. 77 where no namespaces or no address translation can be had.
"""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from spacekit import Space, join, skip  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402

# Any public address will do: the network is closed. miniupnpd maps nothing at a private one.
HOME, ROUTER, PUBLIC, WORLD = "10.30.0.2", "10.30.0.1", "5.6.7.8", "5.6.7.9"
PORT = 7001
CONF = """ext_ifname={outside}
listening_ip={inside}
http_port=5000
enable_natpmp={natpmp}
enable_upnp={upnp}
secure_mode=yes
uuid=fc4ec57e-b051-11db-88f8-0060085db3f6
allow 1024-65535 10.30.0.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
"""
TABLES = """table inet filter {
 chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
 chain miniupnpd { }
 chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
 chain postrouting { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd; }
 chain prerouting_miniupnpd { }
 chain postrouting_miniupnpd { }
}
"""


class Nets:
    def __init__(self, work):
        self.work = work
        self.source = os.path.join(work, "source")
        self.content = os.path.join(self.source, "content")
        tree(self.content, {"a": 1_000_003}, 12)
        self.home, self.router, self.far = Space(), Space(), Space()
        _, self.inside = join(self.home, HOME + "/24", self.router, ROUTER + "/24")
        self.outside, _ = join(self.router, PUBLIC + "/24", self.far, WORLD + "/24")
        self.home.run("ip", "route", "add", "default", "via", ROUTER)
        self.router.run("ip", "route", "add", "default", "via", WORLD)
        self.router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        tables = os.path.join(work, "tables")
        with open(tables, "w") as f:
            f.write(TABLES)
        try:
            self.router.run("nft", "-f", tables)
        except AssertionError as e:
            skip(f"no address translation in this kernel: {e}")
        self.igd = None

    def torrent(self, *more):
        path = os.path.join(tempfile.mkdtemp(dir=self.work), "t.torrent")
        subprocess.run([Shoal.program, "create", self.content, "-o", path, "--piece-size", "32K", "--quiet", *more],
                       check=True)
        return path

    def begin(self, natpmp, upnp):
        yes = {True: "yes", False: "no"}
        conf = os.path.join(self.work, "igd.conf")
        with open(conf, "w") as f:
            f.write(CONF.format(outside=self.outside, inside=self.inside, natpmp=yes[natpmp], upnp=yes[upnp]))
        self.log = os.path.join(self.work, "igd.log")
        self.igd = self.router.start(["miniupnpd", "-d", "-f", conf, "-P", os.path.join(self.work, "igd.pid")],
                                     stdout=open(self.log, "w"), stderr=subprocess.STDOUT)
        wait(lambda: any(w in self.why() for w in ("HTTP listening", "Listening for NAT")) or self.igd.poll() is not None, "miniupnpd is up", self)

    def stop_router(self):
        if self.igd:
            self.igd.send_signal(signal.SIGTERM)
            self.igd.wait(10)
            self.igd = None

    def rules(self):
        rules = self.router.run("nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd")
        return [line.strip() for line in rules.splitlines() if "dnat" in line]

    def why(self):
        return open(self.log, errors="replace").read()[-1500:]

    def shoal(self, space, *args):
        folder = tempfile.mkdtemp(dir=self.work)

        class There(Shoal):
            def __init__(me):
                me.log, me.out = folder + "/log", open(folder + "/events", "wb")
                me.process = space.start([Shoal.program, *args, "--json", "--log", "debug", "--state", folder + "/state"],
                                         stdout=me.out, stderr=open(me.log, "wb"))
                me.folder = folder
        return There()

    def end(self):
        self.stop_router()
        for space in (self.home, self.router, self.far):
            space.__exit__()


def mapped(nets, by):
    torrent = nets.torrent()
    seed = nets.shoal(nets.home, "seed", torrent, "-d", nets.source, "--listen", f"0.0.0.0:{PORT}", "--no-lsd")
    leech = None
    try:
        wait(lambda: seed.last("portmap"), "shoal has asked the router", seed, nets)
        said = seed.last("portmap")
        assert said["error"] is None and said["by"] == by, f"{said}\n{nets.why()}"
        assert said["external"] == f"{PUBLIC}:{PORT}", said
        wait(lambda: len(nets.rules()) == 2, "TCP and UDP are mapped", nets)
        assert all(f"dnat ip to {HOME}:{PORT}" in r for r in nets.rules()), nets.rules()
        leech = nets.shoal(nets.far, "get", torrent, "-o", nets.work + "/copy" + by, "--peer", f"{PUBLIC}:{PORT}",
                           "--no-lsd", "--no-portmap", "--timeout", "20", "--listen", f"{WORLD}:7002")
        wait(lambda: leech.last("complete"), "one in the world fetches through the mapping", leech, seed, nets)
    finally:
        if leech:
            leech.stop()
        began = time.monotonic()
        code = seed.stop()
    assert code == 0 and time.monotonic() - began < 2, f"{code}, {time.monotonic() - began:.1f} s"
    assert nets.rules() == [], f"left behind: {nets.rules()}"
    assert digests(os.path.join(nets.work + "/copy" + by, "content")) == digests(nets.content)


def by_natpmp(nets):
    nets.begin(natpmp=True, upnp=False)
    mapped(nets, "NAT-PMP")


def by_upnp(nets):
    nets.begin(natpmp=False, upnp=True)
    mapped(nets, "UPnP")


def not_asked(nets):
    """A private torrent, and one that says no: the router hears nothing."""
    nets.begin(natpmp=True, upnp=True)
    for torrent, more in ((nets.torrent("--private"), []), (nets.torrent(), ["--no-portmap"])):
        seed = nets.shoal(nets.home, "seed", torrent, "-d", nets.source, "--listen", f"0.0.0.0:{PORT}", "--no-lsd", *more)
        try:
            wait(lambda: seed.last("started"), "shoal is ready", seed)
            time.sleep(1)
            assert seed.last("portmap") is None and nets.rules() == [] and "request" not in nets.why().lower()
        finally:
            seed.stop()


def no_router(nets):
    """Nobody answers: it is said, nothing waits for it, and the end comes at once."""
    seed = nets.shoal(nets.home, "seed", nets.torrent(), "-d", nets.source, "--listen", f"0.0.0.0:{PORT}", "--no-lsd")
    try:
        wait(lambda: seed.last("started"), "shoal is ready", seed)
        wait(lambda: seed.last("portmap"), "shoal has looked for a router", seed)
        assert seed.last("portmap")["error"] is not None
    finally:
        began = time.monotonic()
        seed.stop()
    assert time.monotonic() - began < 2


def one(nets, case):
    try:
        case(nets)
    finally:
        nets.stop_router()


def main():
    if not shutil.which("miniupnpd") or not shutil.which("nft"):
        skip("miniupnpd or nft is not installed: tools/setup does that")
    cases = Cases()
    with scratch("portmap") as work:
        nets = Nets(work)
        try:
            for case in (by_natpmp, by_upnp, not_asked, no_router):
                cases.run(case.__name__, one, nets, case)
        finally:
            nets.end()
    sys.exit(cases.end())


main()
