"""Small networks for tests: namespaces joined by pairs of interfaces, inside the closed one the test runs in.

    with Space() as home, Space() as far:
        join(home, "10.20.0.1/24", far, "10.20.0.2/24")
        home.run("ip", "route", "add", "default", "via", "10.20.0.2")
        process = home.start(["shoal", ...])          # as subprocess.Popen

A Space without more has `lo` alone. Who lives in one ends with it, forks of a server among them, and it is a failure when
somebody does not. Root, or a user namespace in which we are root, is needed; skip() says so.
"""
import contextlib
import os
import signal
import subprocess
import sys
import time


def skip(why):
    print(f"SKIPPED: {why}", flush=True)
    sys.exit(77)


class Space:
    count = 0

    def __init__(self, hosts=None):
        """hosts: text that is /etc/hosts in there."""
        argv = ["unshare", "-n", "-m", "sh", "-c", "ip link set lo up && echo up && exec cat"]  # it ends with us
        self.holder = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        if self.holder.stdout.readline() != b"up\n":
            skip("no network namespaces can be made here")
        self.net = os.readlink(f"/proc/{self.holder.pid}/ns/net")
        self.hosts = None
        if hosts is not None:
            self.hosts = f"/tmp/shoal-hosts-{os.getpid()}-{self.holder.pid}"
            with open(self.hosts, "w") as f:
                f.write(hosts)
            self.run("mount", "--bind", self.hosts, "/etc/hosts")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end = time.monotonic() + 10
        while (left := self.living()) and time.monotonic() < end:
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        self.holder.kill()
        self.holder.wait()
        if self.hosts:
            os.unlink(self.hosts)
        if left:
            raise AssertionError(f"what ran in a namespace does not end: {left}")

    def living(self):
        """Processes in it, but for the one that holds it; dead ones that nobody has waited for are in none."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if int(pid) != self.holder.pid and os.readlink(f"/proc/{pid}/ns/net") == self.net:
                    found.append(int(pid))
        return found

    def wrap(self, argv):
        return ["nsenter", "-t", str(self.holder.pid), "-n", "-m", "--", *argv]

    def run(self, *argv):
        done = subprocess.run(self.wrap(argv), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)}: {done.stderr.strip()}")
        return done.stdout

    def start(self, argv, **how):
        return subprocess.Popen(self.wrap(argv), **how)

    def sent(self, interface):
        """Packets that left by it."""
        for line in self.run("cat", "/proc/net/dev").splitlines():
            name, _, numbers = line.strip().partition(":")
            if name == interface:
                return int(numbers.split()[9])
        raise AssertionError(f"no interface {interface}")

    def sink(self):
        """A default route that leads nowhere: who sends something there is seen by sent("sink")."""
        self.run("ip", "link", "add", "sink", "type", "veth", "peer", "name", "drain")
        for end in ("sink", "drain"):
            self.run("sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{end}/disable_ipv6")
            self.run("ip", "link", "set", end, "arp", "off", "up")
        self.run("ip", "route", "add", "default", "dev", "sink")


def join(a, a_address, b, b_address):
    """A cable between them; the names of its ends."""
    Space.count += 1
    ends = [f"v{Space.count}a", f"v{Space.count}b"]
    words = ["ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        skip(f"no pair of interfaces: {done.stderr.strip()}")
    for end, space, address in ((ends[0], a, a_address), (ends[1], b, b_address)):
        subprocess.run(["ip", "link", "set", end, "netns", str(space.holder.pid)], check=True)
        space.run("ip", "addr", "add", address, "dev", end)
        space.run("ip", "link", "set", end, "up")
    return ends
