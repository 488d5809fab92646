"""test_opentracker.py - Debian's opentracker: a seed and two that fetch meet by it over HTTP and over UDP, and a refusal is told.

It serves IPv4 only, and only the torrents of its whitelist, both info hashes of a hybrid among them. Real sockets in a
closed namespace. Exits 1 on any failure, 77 where no closed namespace can be had.
"""
import json
import os
import shutil
import socket
import subprocess
import sys
import time

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from spacekit import skip  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402

ALONE = ("--no-lsd", "--no-pex", "--no-dht")  # nobody is found but by the tracker
HOST, PORT = "127.0.0.1", 6969
REFUSAL = "Requested download is not authorized for use with this tracker."


class Opentracker:
    def __init__(self, work, hashes):
        """`hashes`: the 40 hex digits of each it serves."""
        root = os.path.join(work, "tracker")  # it goes there for good, and becomes nobody
        os.makedirs(root, mode=0o755)
        with open(os.path.join(root, "whitelist"), "w") as f:
            f.write("".join(h + "\n" for h in hashes))
        conf = os.path.join(work, "opentracker.conf")
        with open(conf, "w") as f:
            f.write(f"listen.tcp_udp {HOST}:{PORT}\naccess.whitelist whitelist\ntracker.rootdir {root}\n"
                    "tracker.user nobody\n")
        self.log = os.path.join(work, "opentracker.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["opentracker", "-f", conf], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)

    def ready(self):
        with socket.socket() as s:
            return s.connect_ex((HOST, PORT)) == 0

    def why(self):
        return f"opentracker ({self.process.poll()}): " + open(self.log, errors="replace").read()[-800:]

    def stop(self):
        self.process.kill()
        self.process.wait()


class Site:
    """A folder with content and a torrent of it, and the processes that were started there."""

    def __init__(self, work, name, form):
        self.work = os.path.join(work, name)
        self.source = os.path.join(self.work, "source")
        tree(self.source, {"content": 700_001}, name)
        self.torrent = os.path.join(self.work, "t.torrent")
        subprocess.run([Shoal.program, "create", os.path.join(self.source, "content"), "-o", self.torrent, "--quiet",
                        "--format", form], check=True)
        said = json.loads(subprocess.run([Shoal.program, "show", self.torrent, "--json"], check=True,
                                         capture_output=True).stdout)
        self.hashes = [h[:40] for h in (said.get("infohash_v1"), said.get("infohash_v2")) if h]
        self.running = []

    def start(self, name, scheme, ip, *args):
        p = Shoal(os.path.join(self.work, name), *args, "--listen", f"{ip}:0", "--tracker",
                  f"{scheme}://{HOST}:{PORT}/announce", *ALONE)
        self.running.append(p)
        return p

    def seed(self, scheme, ip):
        return self.start("seed", scheme, ip, "seed", self.torrent, "-d", self.source)

    def get(self, name, scheme, ip, seconds=30):
        return self.start(name, scheme, ip, "get", self.torrent, "-o", os.path.join(self.work, name, "out"), "--seed",
                          "--timeout", str(seconds))

    def stop(self):
        for p in self.running:
            p.stop()


def said(p):
    return [e for e in p.events() if e["event"] == "tracker"]


def scraped(site, scheme):
    """What show --scrape tells: (seeds, leeches, downloads, error) under each hash."""
    told = subprocess.run([Shoal.program, "show", site.torrent, "--json", "--scrape", "--tracker",
                           f"{scheme}://{HOST}:{PORT}/announce"], capture_output=True, text=True, timeout=30).stdout
    lines = [x for x in map(json.loads, told.splitlines()) if x.get("event") == "scrape"]
    return [(x.get("seeds"), x.get("leeches"), x.get("downloaded"), x["error"]) for x in lines]


def meets(site, scheme):
    """The first finds the seed; the seed goes, and the second finds the first. Who asks hears of the two."""
    try:
        seed = site.seed(scheme, "127.0.0.2")
        wait(lambda: len([e for e in said(seed) if e["error"] is None]) >= len(site.hashes), "the tracker hears the seed", seed)
        a = site.get("a", scheme, "127.0.0.3")
        wait(lambda: a.last("complete"), "the first is complete", a, seed)
        seed.stop()
        b = site.get("b", scheme, "127.0.0.4")
        wait(lambda: b.last("complete"), "the second is complete", b, a)
        for p in seed, a, b:
            assert not [e for e in said(p) if e["error"]], said(p)
        assert any(e["peers"] > 0 for e in said(b)) and any(e["seeds"] > 0 for e in said(b)), said(b)
        right = [(2, 0, 2, None)] * len(site.hashes)
        wait(lambda: scraped(site, scheme) == right, f"it counts {right}", b)
    finally:
        site.stop()
    for name in ("a", "b"):
        assert digests(os.path.join(site.work, name, "out")) == digests(site.source), f"{name}: wrong bytes"


def refused_by_udp(site):
    """The same in eight bytes: a refusal, long before anybody's time is out."""
    try:
        began = time.monotonic()
        both = site.seed("udp", "127.0.0.2"), site.get("a", "udp", "127.0.0.3", 5)
        for p in both:
            wait(lambda: len(said(p)) >= len(site.hashes), "an answer", p)
            assert all(e["error"] == "refused" for e in said(p)), said(p)
        assert time.monotonic() - began < 10, "that was a time out"
    finally:
        site.stop()


def refused(site):
    """Not in the whitelist: the tracker says why, and the user reads it, from a seed and a get alike."""
    try:
        both = site.seed("http", "127.0.0.2"), site.get("a", "http", "127.0.0.3", 2)
        for p in both:
            wait(lambda: len(said(p)) >= len(site.hashes), "an answer", p)
            assert all(e["error"] == "refused" and e["what"] == REFUSAL for e in said(p)), said(p)
            wait(lambda: any(REFUSAL in e["what"] for e in p.events() if e["event"] == "warning"), "the warning", p)
        code = both[1].process.wait(10)
        assert code == 5, f"nobody was reachable: 5, not {code}: {both[1].why()}"
        assert not both[1].last("complete")
        with open(both[1].log) as log:
            assert REFUSAL in log.read(), both[1].why()
    finally:
        site.stop()


def one(run, tracker):
    try:
        run()
    except AssertionError as e:
        raise AssertionError(f"{e}\n{tracker.why()}") from e


def main():
    if shutil.which("opentracker") is None:
        skip("no opentracker (tools/setup)")
    cases = Cases()
    with scratch("opentracker") as work:
        listed = {(scheme, form): Site(work, f"{scheme}-{form}", form)
                  for scheme, form in (("http", "hybrid"), ("http", "v2"), ("udp", "v1"), ("udp", "hybrid"))}
        tracker = Opentracker(work, [h for site in listed.values() for h in site.hashes])
        try:
            wait(tracker.ready, "opentracker listens", tracker)
            for (scheme, form), site in listed.items():
                cases.run(f"{scheme} {form}", one, lambda: meets(site, scheme), tracker)
            cases.run("refused", one, lambda: refused(Site(work, "unlisted", "hybrid")), tracker)
            cases.run("refused by UDP", one, lambda: refused_by_udp(Site(work, "unlisted-udp", "hybrid")), tracker)
        finally:
            tracker.stop()
    sys.exit(cases.end())


main()
