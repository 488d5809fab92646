"""test_trackers.py - peers that know nothing of each other but a tracker: HTTP and UDP, IPv4 and IPv6; and trackers that lie.

Real sockets in a closed namespace. Each case ends in seconds. Exits 1 on any failure, 77 where no closed namespace
can be had.
"""
import json
import os
import struct
import subprocess
import sys
import time

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402
from trackerkit import Tracker  # noqa: E402

ALONE = ("--no-lsd", "--no-pex", "--no-dht")  # nobody is found but by the tracker
SECRET = "0123456789abcdef"


class Site:
    """A folder with content and a torrent of it, and the processes that were started there."""

    def __init__(self, work, name, tracker=None, form="hybrid", private=False, size=1_000_003):
        self.work = os.path.join(work, name)
        self.source = os.path.join(self.work, "source")
        os.makedirs(self.source)
        tree(self.source, {"content": size}, 5)
        self.torrent = os.path.join(self.work, "t.torrent")
        subprocess.run([Shoal.program, "create", os.path.join(self.source, "content"), "-o", self.torrent, "--quiet",
                        "--format", form] + (["--tracker", tracker] if tracker else [])
                       + (["--private"] if private else []), check=True, stderr=subprocess.DEVNULL)
        self.running = []

    def start(self, name, *args):
        p = Shoal(os.path.join(self.work, name), *args, *ALONE)
        self.running.append(p)
        return p

    def seed(self, ip, *args):
        return self.start("seed", "seed", self.torrent, "-d", self.source, "--listen", f"{ip}:0", *args)

    def get(self, name, ip, *args, what=None, keep=True):
        return self.start(name, "get", what or self.torrent, "-o", os.path.join(self.work, name, "out"), "--listen",
                          f"{ip}:0", "--timeout", "30", *(["--seed"] if keep else []), *args)

    def right(self, name):
        assert digests(os.path.join(self.work, name, "out")) == digests(self.source), f"{name}: wrong bytes"

    def stop(self):
        for p in self.running:
            p.stop()


def complete(*gets):
    for g in gets:
        wait(lambda: g.last("complete") or g.process.poll() is not None, "complete", g)
        assert g.last("complete"), g.why()


def ip_of(version, n):
    return f"127.0.0.{n}" if version == 4 else "[::1]"


def swarm_meets(work, scheme, version, form="hybrid", private=False, trusted=True):
    """1 seed and 2 leeches; all they have is the tracker."""
    with Tracker() as t:
        url = t.url(scheme, version, f"/announce/{SECRET}?passkey={SECRET}")
        site = Site(work, f"{scheme}{version}{form}{private}", url, form, private)
        named = ("--tracker", url)
        try:
            site.seed(ip_of(version, 2), *named)
            t.wait(5, event="started", left=0)
            a, b = site.get("a", ip_of(version, 3), *named), site.get("b", ip_of(version, 4), *named)
            complete(a, b)
            t.wait(5, event="completed", left=0)
            began = time.monotonic()
            site.stop()
            assert time.monotonic() - began < 6, "they took too long to leave"
        finally:
            site.stop()
        for name in ("a", "b"):
            site.right(name)
        hashes = {"v1": 1, "v2": 1, "hybrid": 2}[form]
        ids = {x["peer_id"] for x in t.log}
        assert len({x["info_hash"] for x in t.log}) == hashes, "under which hashes"
        assert len(ids) == 3 and all(i.startswith(b"-SH") for i in ids), ids
        for who in ids:
            told = [x["event"] for x in t.told(peer_id=who)]
            assert told.count("started") == hashes and told.count("stopped") == hashes, told
            assert len({x["key"] for x in t.told(peer_id=who)}) == 1, "one key for all"
        # The one who had it all at the start has completed nothing.
        completed = {x["peer_id"] for x in t.told(event="completed")}
        assert len(completed) == 2, completed
        assert all(SECRET in x["path"] for x in t.log), "the URL's own path and query go along"
        if scheme == "udp" and version == 4:
            listen = {e["listen"][0].rsplit(":", 1)[1] for p in site.running for e in p.events() if e["event"] == "started"}
            assert {str(x["source"]) for x in t.log} == listen, "from the port we listen on"
        for p in site.running:
            with open(p.log, errors="replace") as log:
                text = log.read()
            assert SECRET not in text, "a passkey in the log"
            said = [e for e in p.events() if e["event"] == "tracker"]
            assert said and all(SECRET not in str(e) for e in said), said
            assert any(e["error"] is None and e["next"] > 0 for e in said), said


def magnet_alone(work):
    """A link with a tracker in it is enough."""
    with Tracker() as t:
        url = t.url("udp", 4)
        site = Site(work, "magnet", url)
        try:
            site.seed("127.0.0.2", "--tracker", url)
            t.wait(5, event="started", left=0)
            link = subprocess.run([Shoal.program, "magnet", site.torrent], check=True, capture_output=True,
                                  text=True).stdout.strip()
            assert "tr=udp" in link and "x.pe" not in link, link
            a = site.get("a", "127.0.0.3", "--tracker", url, what=link)
            complete(a)
        finally:
            site.stop()
        site.right("a")
        assert t.told(event="started", left=16384), "what is left cannot be known without metadata, and is not 0"


def refused_places_hear_nothing(work):
    """A torrent or link cannot send us to this host: a listener there sees nothing (SSRF)."""
    with Tracker() as t:
        urls = [t.url("udp", 4), t.url("udp", 6), t.url("http", 4), t.url("http", 6),
                f"udp://localhost:{t.ports['udp', 4]}/announce", f"http://localhost:{t.ports['http', 4]}/announce",
                f"udp://[::ffff:127.0.0.1]:{t.ports['udp', 4]}", f"http://[::ffff:7f00:1]:{t.ports['http', 4]}/announce",
                f"udp://127.1.2.3:{t.ports['udp', 4]}", f"http://0.0.0.0:{t.ports['http', 4]}/announce",
                f"http://[::]:{t.ports['http', 6]}/announce", f"http://2130706433:{t.ports['http', 4]}/announce",
                f"http://0x7f.1:{t.ports['http', 4]}/announce", f"http://0177.0.0.1:{t.ports['http', 4]}/announce"]
        site = Site(work, "ssrf")
        link = subprocess.run([Shoal.program, "magnet", site.torrent], check=True, capture_output=True,
                              text=True).stdout.strip() + "".join("&tr=" + u for u in urls)
        try:
            a = site.get("a", "127.0.0.3", what=link)
            wait(lambda: any("no tracker answers" in e.get("what", "") for e in a.events() if e["event"] == "warning"),
                 "the warning that no tracker answers", a)
            time.sleep(0.5)
            warned = [e["what"] for e in a.events() if e["event"] == "warning" and "--tracker" in e.get("what", "")]
            assert len(warned) >= 4, a.why()
        finally:
            site.stop()
        assert t.connects == 0 and not t.log, f"{t.connects} came through: {t.log}"


def no_trackers_asks_nobody(work):
    with Tracker() as t:
        site = Site(work, "none", t.url("udp", 4))
        try:
            a = site.get("a", "127.0.0.3", "--no-trackers")
            time.sleep(1)
            assert any("no peer or tracker is known" in e.get("what", "") for e in a.events() if e["event"] == "warning"), a.why()
        finally:
            site.stop()
        assert t.connects == 0


def answers_that_lie(work):
    """Garbage, refusals, silence, a crowd that is not there: neither a crash nor a storm of questions."""
    error = b"\0\0\0\3TTTT" + b"go away \x1b[31m" + b"x" * 4000
    lies = [lambda a: error, lambda a: b"", lambda a: b"TTTT", lambda a: b"\0\0\0\1TTTT",
            lambda a: {"interval": 0xffffffff, "leeches": 0xffffffff, "seeds": 0xffffffff, "peers": []},
            lambda a: b"\0\0\0\1TTTT" + struct.pack(">III", 0, 1, 1) + b"\x7f\0\0\x09\x01\xbb" * 9000,
            lambda a: b"\0\0\0\1" + struct.pack(">IIII", 7, 60, 1, 1) + b"\x7f\0\0\x09\x01\xbb",
            lambda a: None]
    for i, lie in enumerate(lies):
        with Tracker() as t:
            t.answer = lambda a, lie=lie: lie(a) if "connect" not in a else {}
            site = Site(work, f"lie{i}", size=20_000)
            try:
                a = site.get("a", "127.0.0.3", "--tracker", t.url("udp", 4))
                t.wait(5, event="started")
                time.sleep(0.3)
                assert a.process.poll() is None, a.why()
            finally:
                site.stop()
            assert "\x1b" not in open(a.log, errors="replace").read()
            assert len(t.log) <= 6, f"lie {i} makes it ask {len(t.log)} times"


def scrape(*args):
    """show --scrape: (exit code, what it said of each question)."""
    done = subprocess.run([Shoal.program, "show", "--json", "--scrape", "--timeout", "5", *args], capture_output=True,
                          text=True, timeout=15)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert "magnet" in args[0] or lines[0]["name"] == "content", lines
    return done.returncode, [x for x in lines if x.get("event") == "scrape"]


def scrape_tells_what_they_count(work):
    """BEP 48, both protocols and families, both hashes of a hybrid, by a file and by a link."""
    with Tracker() as t:
        urls = [t.url("udp", 4), t.url("udp", 6), t.url("http", 4), t.url("http", 6)]
        site = Site(work, "scrape", urls[0], size=20_000)
        named = [x for u in urls for x in ("--tracker", u)]
        link = subprocess.run([Shoal.program, "magnet", site.torrent], check=True, capture_output=True,
                              text=True).stdout.strip()
        code, none = scrape(site.torrent, *named[4:])
        assert code == 1 and len(none) == 6, (code, none)
        assert [x["error"] for x in none if x["tracker"].startswith("http")] == ["gone"] * 4, none
        code, none = scrape(site.torrent)
        assert code == 6 and [x["error"] for x in none] == ["permission denied"] * 2, (code, none)  # SSRF
        try:
            site.seed("127.0.0.2", "--tracker", urls[0])
            t.wait(5, event="started", left=0)
            complete(site.get("a", "127.0.0.3", "--tracker", urls[0]))
            wait(lambda: len(t.told(event="completed")) == 2, "completed under both hashes", site.running[1])
            before = len(t.log)
            for what in (site.torrent, link):
                t.scrapes.clear()
                code, said = scrape(what, *named)
                assert code == 0 and len(said) == 8, (code, said)
                for x in said:
                    assert (x["seeds"], x["leeches"], x["downloaded"]) == (2, 0, 1), x
                assert len({x["infohash"] for x in said}) == 2
                assert len(t.scrapes) == 8, t.scrapes  # each once
            assert len(t.log) == before, "a scrape is no announce"
            text = subprocess.run([Shoal.program, "show", site.torrent, "--scrape", *named[:2]], check=True,
                                  capture_output=True, text=True).stdout
            assert f"scrape v2 {urls[0]}: seeds 2, leeches 0, downloaded 1\n" in text, text
        finally:
            site.stop()
    began = time.monotonic()  # nobody is there any more
    code, said = scrape(site.torrent, "--tracker", urls[0], "--tracker", urls[2], "--timeout", "1")
    assert code == 5 and all(x["error"] for x in said) and time.monotonic() - began < 5, (code, said)


def leaving_is_quick_when_nobody_hears(work):
    """A tracker that has died costs no more than the time there is to say goodbye in."""
    with Tracker() as t:
        site = Site(work, "dead", t.url("udp", 4), size=20_000)
        try:
            seed = site.seed("127.0.0.2", "--tracker", t.url("udp", 4))
            t.wait(5, event="started", left=0)
            t.answer = lambda a: None
            began = time.monotonic()
            seed.stop()
            assert time.monotonic() - began < 2, "longer than 2 s"
            assert seed.process.returncode == 0
        finally:
            site.stop()


CASES = [(f"{scheme}{version} {form}{' private' if private else ''}",
          lambda w, a=(scheme, version, form, private): swarm_meets(w, *a))
         for scheme, version, form, private in (("udp", 4, "hybrid", False), ("udp", 6, "v2", False),
                                                ("udp", 4, "v1", True), ("http", 4, "hybrid", False),
                                                ("http", 6, "v1", False))]
CASES += [("magnet", magnet_alone), ("refused places", refused_places_hear_nothing),
          ("--no-trackers", no_trackers_asks_nobody), ("lies", answers_that_lie),
          ("a dead tracker", leaving_is_quick_when_nobody_hears), ("scrape", scrape_tells_what_they_count)]


def main():
    cases = Cases()
    with scratch("trackers") as work:
        for name, run in CASES:
            cases.run(name, run, work)
    sys.exit(cases.end())


main()
