"""test_alone.py - nobody can be reached: why, in words; and (SHOAL_LONG=1) a name of a DHT node that is known only later."""
import os
import subprocess
import sys
import time
import shutil

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from spacekit import Space, join, skip  # noqa: E402

SHOAL = os.environ.get("SHOAL", "shoal")
OUTSIDE, FAR = "81.2.3.4", "81.2.3.9"  # any public addresses: the networks are closed
NOBODY = "a" * 40
WALL = "table ip wall { chain out { type filter hook output priority 0; policy drop; oifname lo accept; }; }"


def get(space, work, *args, what=NOBODY):
    """How it ends, and what it says."""
    done = subprocess.run(space.wrap([SHOAL, "get", what, "-o", work, "--state", work + "/state", "--no-lsd", "--no-portmap",
                                      *args]), capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def wired(space):
    space.sink()
    space.run("ip", "addr", "add", OUTSIDE + "/24", "dev", "sink")


def no_route(work):
    with Space() as space:
        code, said = get(space, work, "--timeout", "2")
        assert code == 5 and "this host has no way to other networks" in said, f"{code}: {said}"


def nothing_goes_out(work):
    with Space() as space:
        wired(space)
        space.run("nft", WALL)
        code, said = get(space, work, "--timeout", "2", "--dht-node", FAR + ":7000")
        assert code == 5 and "no node of the DHT answers; does a firewall" in said, f"{code}: {said}"


def nobody_is_there(work):
    with Space() as space:
        wired(space)
        code, said = get(space, work, "--timeout", "2", "--no-dht", "--peer", FAR + ":7000")
        assert code == 5 and "no peer that was named answers" in said, f"{code}: {said}"


def the_wrong_port(work):
    """Told at once, not at the end alone: whoever names a peer waits for it. A link's peers are named as well."""
    with Space() as space:
        wired(space)
        near = OUTSIDE + ":7001"
        for how in (["--peer", near], []):
            what = [] if how else [f"magnet:?xt=urn:btih:{NOBODY}&x.pe={near}"]
            done = subprocess.run(space.wrap([SHOAL, "get", *(what or [NOBODY]), "-o", work, "--state", work + "/state", "--no-lsd",
                                              "--no-dht", "--timeout", "4", *how]), capture_output=True, text=True, timeout=60,
                                  check=False)
            said = done.stderr
            assert done.returncode == 5 and said.count(near + " cannot be reached: is it running") == 1, said
            assert "no peer that was named answers" in said, said


def a_peer_without_the_torrent(work):
    with open(work + "/data", "wb") as f:
        f.write(os.urandom(100_000))
    with Space() as space:
        wired(space)
        there = OUTSIDE + ":7001"
        seed = space.start([SHOAL, "seed", work + "/data", "--state", work + "/seed", "--no-lsd", "--no-dht", "--no-portmap",
                            "--listen", there], stdout=subprocess.PIPE)
        try:
            while b"listening" not in seed.stdout.readline():
                assert seed.poll() is None
            code, said = get(space, work, "--timeout", "6", "--no-dht", "--peer", there)
        finally:
            seed.terminate()
            seed.wait()
            seed.stdout.close()
        assert code == 5 and there + " is there, and ends the connection" in said, said
        assert "who was named is there, and ends the connection" in said, said


def a_name_that_leads_nowhere(work):
    """Without a route the resolver gives up at once."""
    with Space("127.0.0.1 localhost\n") as space:
        link = f"magnet:?xt=urn:btih:{NOBODY}&x.pe=nobody.invalid:7001"
        for what, how in (NOBODY, ["--peer", "nobody.invalid:7001"]), (link, []):
            code, said = get(space, work, "--timeout", "4", "--no-dht", *how, what=what)
            assert code == 5 and said.count("peer nobody.invalid:7001: ") == 1, said


def it_is_said_before_the_end(work):
    with Space() as space:
        wired(space)
        code, said = get(space, work, "--timeout", "22", "--dht-node", FAR + ":7000")
        assert code == 5 and said.count("no node of the DHT answers") == 2, f"{code}: {said}"


def a_seed_hears_that_its_port_is_shut(work):
    """The DHT answers, but the router maps nothing, and this host has a private address alone."""
    with open(work + "/data", "wb") as f:
        f.write(os.urandom(100_000))
    with Space() as home, Space() as far:
        join(home, "192.168.1.20/24", far, "192.168.1.1/24")
        far.run("ip", "addr", "add", FAR + "/32", "dev", "lo")
        home.run("ip", "route", "add", "default", "via", "192.168.1.1")
        quiet = ["--no-lsd", "--quiet"]
        node = far.start([SHOAL, "dht", "node", "--listen", FAR + ":7000", "--state", work + "/node", *quiet])
        with open(work + "/said", "wb") as said:
            seed = home.start([SHOAL, "seed", work + "/data", "--state", work + "/state", "--no-lsd", "--listen", "0.0.0.0:7001",
                               "--dht-node", FAR + ":7000"], stdout=subprocess.DEVNULL, stderr=said)
            try:
                time.sleep(66)
            finally:
                for p in (seed, node):
                    p.terminate()
                    p.wait()
        words = open(work + "/said").read()
        assert "no router maps our port" in words and "port 7001" in words, words


def a_name_is_known_later(work):
    """Its only way into the DHT is a name that cannot be looked up when it starts, as on a laptop that is not yet online."""
    hosts = "127.0.0.1 localhost\n"
    os.makedirs(work + "/source")
    with open(work + "/source/data", "wb") as f:
        f.write(os.urandom(300_000))
    with Space(hosts) as space:
        wired(space)
        quiet = ["--no-lsd", "--no-portmap", "--quiet"]
        start = lambda n, *a: space.start([SHOAL, *a, "--state", f"{work}/state{n}", *quiet], stdout=subprocess.DEVNULL)  # noqa: E731
        running = []
        try:
            space.run("ip", "addr", "add", "92.4.5.2/32", "dev", "lo")
            space.run("ip", "addr", "add", "103.6.7.3/32", "dev", "lo")
            running.append(start(1, "dht", "node", "--listen", "92.4.5.2:7000"))
            torrent = work + "/t.torrent"
            subprocess.run([SHOAL, "create", work + "/source/data", "-o", torrent, "--format", "v1", "--quiet"], check=True)
            digest = subprocess.run([SHOAL, "show", torrent], capture_output=True, text=True, check=True).stdout
            digest = next(line.split()[-1] for line in digest.splitlines() if line.split()[:1] == ["v1"])
            running.append(start(2, "seed", torrent, "-d", work + "/source", "--listen", "103.6.7.3:7000", "--dht-node",
                                 "92.4.5.2:7000"))
            leech = start(3, "get", digest, "-o", work + "/copy", "--listen", OUTSIDE + ":7000", "--dht-node", "later.test:7000",
                          "--timeout", "150")
            running.append(leech)
            time.sleep(5)
            with open(space.hosts, "a") as f:
                f.write("92.4.5.2 later.test\n")
            assert leech.wait(160) == 0, f"exit code {leech.returncode}"
        finally:
            for p in running:
                p.kill()
                p.wait()


CASES = [no_route, nothing_goes_out, nobody_is_there, the_wrong_port, a_peer_without_the_torrent, a_name_that_leads_nowhere]
LONG = [it_is_said_before_the_end, a_seed_hears_that_its_port_is_shut, a_name_is_known_later]


def main():
    if not shutil.which("nft"):
        skip("nft is not installed: tools/setup does that")
    cases = Cases()
    for case in CASES + (LONG if os.environ.get("SHOAL_LONG") == "1" else []):
        with scratch("alone") as work:
            cases.run(case.__name__, case, work)
    sys.exit(cases.end())


main()
