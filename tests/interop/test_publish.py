"""test_publish.py - names and signed values in nets of two or three nodes, which forget, and which see too little.

    tests/interop/test_publish.py build/dev/shoal

The cases mostly wait, so they run side by side.
"""
import itertools
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from swarmkit import Shoal, wait  # noqa: E402

OLD, NEW, NEWER = "a" * 40, "b" * 40, "c" * 40
QUIET = ["--no-lsd", "--no-portmap"]


class Net:
    """One node, who keeps what others put; and whoever asks, each at an address of its own."""

    places = itertools.count(1)

    def __init__(self, work):
        self.work, self.running = work, []
        self.node = self.begin()

    def address(self):
        return f"127.0.4.{next(self.places)}:7000"

    def begin(self):
        """A node that knows nothing: as if all who kept a value had left."""
        self.boot = self.address()
        node = Shoal(os.path.join(self.work, f"node{len(self.running)}"), "dht", "node", "--listen", self.boot, *QUIET)
        self.running.append(node)
        wait(lambda: node.last("dht"), "a node starts", node)
        return node

    def argv(self, verb, *args, user="user"):
        return [Shoal.program, "dht", verb, *args, "--listen", self.address(), "--dht-node", self.boot, "--state",
                os.path.join(self.work, user), *QUIET]

    def ask(self, verb, *args, code=0, user="user"):
        done = subprocess.run(self.argv(verb, *args, "--timeout", "10", user=user), capture_output=True, text=True,
                              timeout=40, check=False)
        assert done.returncode == code, f"{verb} {args}: exit code {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def publish(self, what, key, *args, **kw):
        return self.ask("publish", what, "--key-file", os.path.join(self.work, key), *args, **kw)

    def stays(self, what, key, user):
        p = Shoal(os.path.join(self.work, user), "dht", "publish", what, "--key-file", os.path.join(self.work, key),
                  "--stay", "--every", "1", "--listen", self.address(), "--dht-node", self.boot, *QUIET)
        self.running.append(p)
        return p

    def stop(self):
        for p in self.running:
            p.stop()


def a_net_that_forgets_does_not_begin_again_at_1(net):
    said = net.publish(OLD, "name.key")
    assert "(number 1," in said and "only 1 node took it" in said, said
    assert "(number 1," in net.publish(OLD, "name.key"), "the same was not renewed"
    net.node.stop()
    net.begin()
    assert "(number 2," in net.publish(NEW, "name.key")
    net.node.stop()
    net.begin()
    assert "(number 2," in net.publish(NEW, "name.key")
    assert "(number 1," in net.publish(NEW, "name.key", "--salt", "other"), "each salt has numbers of its own"
    key = os.path.join(net.work, "name.key")
    assert "seq 3," in net.ask("put", "text", "--key-file", key)


def few_cannot_say_that_there_is_none(net):
    """A key that comes from elsewhere, and nothing is known of what was signed with it."""
    net.publish(OLD, "name.key")
    assert "(number 2," in net.publish(NEW, "name.key", user="machine-2"), "the DHT has number 1"
    net.node.stop()
    net.begin()
    said = net.publish(NEWER, "name.key", user="machine-3", code=6)
    assert "only 1 node of the DHT answered" in said and "--first" in said, said
    assert "(number 1," in net.publish(NEWER, "name.key", "--first", user="machine-3")


def a_name_that_moved_on_is_not_taken_back(net):
    """Who keeps it alive keeps what it stands for now, though it was told something else once."""
    stays = net.stays(OLD, "name.key", "stays")
    wait(lambda: stays.last("published"), "the name is published", stays)
    assert "(number 2," in net.publish(NEW, "name.key", user="machine-2")
    wait(lambda: stays.last("named"), "it is seen that the name was moved", stays)
    assert (stays.last("named")["infohash"], stays.last("named")["seq"]) == (NEW, 2)
    time.sleep(2.5)
    public = stays.last("published")["magnet"].split("btpk:")[1]
    watch = Shoal(os.path.join(net.work, "watch"), "dht", "watch", public, "--listen", net.address(), "--dht-node",
                  net.boot, *QUIET)
    net.running.append(watch)
    wait(lambda: watch.last("named"), "watching the name", watch)
    assert (watch.last("named")["infohash"], watch.last("named")["seq"]) == (NEW, 2)
    assert len([e for e in stays.events() if e["event"] == "named"]) == 1
    net.node.stop()
    net.node = net.begin()
    assert stays.process.poll() is None and stays.stop() == 0


def who_stays_says_that_nobody_answers(net):
    net.node.stop()
    stays = net.stays(OLD, "name.key", "stays")
    wait(lambda: stays.last("warning"), "it says so", stays)
    assert "no node that --dht-node names answers" in stays.last("warning")["what"], stays.last("warning")


def who_only_asks_is_no_node_for_others(net):
    """BEP 43: its questions say so, and its pings are not answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.5.1", 7000))
        s.settimeout(10)
        for verb, argument, wanted in (("get-peers", OLD, True), ("get", OLD, False)):
            argv = [Shoal.program, "dht", verb, argument, "--listen", net.address(), "--dht-node", "127.0.5.1:7000",
                    "--state", os.path.join(net.work, verb), *QUIET, "--timeout", "1"]
            asks = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            question = s.recv(2000)
            assert (b"2:roi1e" in question) == wanted, question
            asks.wait(20)
            s.setblocking(False)
            try:
                while s.recv(2000):
                    pass
            except BlockingIOError:
                pass
            s.settimeout(10)


CASES = [a_net_that_forgets_does_not_begin_again_at_1, few_cannot_say_that_there_is_none,
         a_name_that_moved_on_is_not_taken_back, who_stays_says_that_nobody_answers, who_only_asks_is_no_node_for_others]


def one(case):
    with scratch("publish") as work:
        net = Net(work)
        try:
            case(net)
        finally:
            net.stop()


def main():
    cases = Cases()
    with ThreadPoolExecutor(len(CASES)) as pool:
        list(pool.map(lambda case: cases.run(case.__name__, one, case), CASES))
    sys.exit(cases.end())


main()
