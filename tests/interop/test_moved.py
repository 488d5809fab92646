"""test_moved.py - the network changes under a transfer: another address, and none for a while. It goes on within seconds.

Two namespaces and a cable. Without a word from the kernel the old connection would be waited for, two minutes and more.
"""
import os
import subprocess
import sys
import time

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from spacekit import Space, join  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402

HERE_IP, THERE_IP, NEXT_IP = "10.40.0.1", "10.40.0.2", "10.40.0.9"
RATE = 200 << 10
SIZE = 6 * RATE


def start(space, folder, *args):
    class There(Shoal):
        def __init__(me):
            os.makedirs(folder)
            me.log, me.out = folder + "/log", open(folder + "/events", "wb")
            me.process = space.start([Shoal.program, *args, "--json", "--state", folder + "/state", "--no-lsd"],
                                     stdout=me.out, stderr=open(me.log, "wb"))
    return There()


def change(home, end, gone, more):
    """The address goes; after `gone` seconds there is another, or the same."""
    home.run("ip", "addr", "flush", "dev", end)
    time.sleep(gone)
    home.run("ip", "addr", "add", more + "/24", "dev", end)


def case(work, name, gone, more):
    with Space() as home, Space() as far:
        end, _ = join(home, HERE_IP + "/24", far, THERE_IP + "/24")
        source = os.path.join(work, "source")
        torrent = os.path.join(work, name + ".torrent")
        subprocess.run([Shoal.program, "create", source + "/content", "-o", torrent, "--piece-size", "32K", "--quiet"],
                       check=True)
        seed = start(far, f"{work}/{name}-seed", "seed", torrent, "-d", source, "--up", str(RATE), "--listen",
                     f"{THERE_IP}:7001")
        mine = None
        try:
            wait(lambda: seed.last("started"), "the seed is ready", seed)
            mine = start(home, f"{work}/{name}-mine", "get", torrent, "-o", f"{work}/{name}-copy", "--timeout", "60",
                         "--listen", "0.0.0.0:7002", "--peer", f"{THERE_IP}:7001")
            wait(lambda: mine.last("first_piece"), "it has begun", mine, seed)
            time.sleep(1.5)
            assert not mine.last("complete"), "it was over before anything happened"
            change(home, end, gone, more)
            began = time.monotonic()
            wait(lambda: mine.last("complete"), "it goes on", mine, seed)
            took = time.monotonic() - began
        finally:
            if mine:
                mine.stop()
            seed.stop()
        assert digests(f"{work}/{name}-copy/content") == digests(source + "/content")
        return took


def main():
    cases = Cases()
    with scratch("moved") as work:
        os.makedirs(work + "/source")
        tree(work + "/source", {"content": SIZE}, 13)
        for name, gone, more in (("another address", 0.5, NEXT_IP), ("none for a while", 4, HERE_IP)):
            cases.run(name, case, work, name.replace(" ", "-"), gone, more)
    sys.exit(cases.end())


main()
