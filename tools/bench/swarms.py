"""tools/bench/swarms.py - more than one to one: a swarm on one machine, several seeds behind a limited line, and the next
version of a data set. Records as in measures.py."""
import os
import subprocess
import sys
import time

from harness import Failed, Foreign, Node, now

HERE = os.path.dirname(os.path.abspath(__file__))
MIB, GIB = 1 << 20, 1 << 30
LINE = 200 * 10**6  # bit/s of each seed's line in `capped`
BURST = 256 << 10  # bytes: 10 ms of a line, for a machine whose timers are late
ETHERNET = 1500


def crossed():
    """Bytes that have crossed this namespace's loopback."""
    with open("/proc/self/net/dev", encoding="ascii") as f:
        return next(int(line.split(":")[1].split()[0]) for line in f if line.strip().startswith("lo:"))


def folders(bench, count):
    out = bench.scratch.fresh("out")
    made = [os.path.join(out, str(i)) for i in range(count)]
    for folder in made:
        os.makedirs(folder)
    return made


def swarm(bench, engine, payload, count):
    """1 -> count, over loopback: until the last has all of it. Each knows the seed and those before it."""
    e = bench.engines[engine]
    addr = [f"127.0.0.{i + 1}:{next(bench.ports)}" for i in range(count + 1)]
    seed = e.seed(payload.torrent("v1"), payload.folder, addr[0], bench.scratch.fresh("seed"))
    seed.wait("started", bench.options.limit)
    there = folders(bench, count)
    served = seed.cpu()
    leeches = Node.together(lambda: [
        e.join(payload.torrent("v1"), folder, addr[i + 1], addr[:i + 1], bench.scratch.fresh(f"leech{i}"))
        for i, folder in enumerate(there)])
    began = min(leech.began for leech in leeches)
    foreign = Foreign(seed, *leeches)
    done = [leech.wait("complete", bench.options.limit) - began for leech in leeches]
    cpu, percent = seed.cpu() - served + sum(leech.cpu() for leech in leeches), foreign.percent()
    for node in (*leeches, seed):
        node.stop()
    good = all(payload.is_copied_to(folder) for folder in there)
    bench.scratch.fresh("out")
    if not good:
        raise Failed("a copy is not what was shared")
    return {"seconds": max(done), "mib_s": count * payload.size / MIB / max(done),
            "cpu_gib": cpu * GIB / (count * payload.size), "foreign": percent, "verified": True}


class Lines:
    """While it is open: what these addresses of the loopback send goes through a token bucket (tbf) each, as packets of
    1500 bytes, of which Ethernet, IP and TCP take 66: a full line carries 95.6 % payload."""

    def __init__(self, hosts, rate):
        self.commands = [f"ip link set lo mtu {ETHERNET}", "tc qdisc add dev lo root handle 1: htb"]
        for i, host in enumerate(hosts, 2):
            self.commands += [
                f"tc class add dev lo parent 1: classid 1:{i} htb rate 100gbit quantum 60000",
                f"tc qdisc add dev lo parent 1:{i} handle {i}: tbf rate {rate}bit burst {BURST} latency 50ms",
                f"tc filter add dev lo parent 1: protocol ip prio 1 u32 match ip src {host}/32 flowid 1:{i}"]

    def __enter__(self):
        for command in self.commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.__exit__()
                raise Failed(f"{command}: {done.stderr.strip()}")

    def __exit__(self, *_):
        subprocess.run("tc qdisc del dev lo root".split(), capture_output=True, check=False)
        subprocess.run("ip link set lo mtu 65536".split(), capture_output=True, check=False)


def capped(bench, engine, payload, count):
    """`count` seeds, each behind a line of 200 Mbit/s, -> 1: payload from launch to `complete`, as a part of all lines."""
    e = bench.engines[engine]
    hosts = [f"127.0.0.{i + 2}" for i in range(count)]
    addr = [f"{host}:{next(bench.ports)}" for host in hosts]
    with Lines(hosts, LINE):
        seeds = [e.seed(payload.torrent("v1"), payload.folder, a, bench.scratch.fresh(f"seed{i}")) for i, a in enumerate(addr)]
        for seed in seeds:
            seed.wait("started", bench.options.limit)
        (there,) = folders(bench, 1)
        leech = e.join(payload.torrent("v1"), there, f"127.0.0.1:{next(bench.ports)}", addr, bench.scratch.fresh("leech"))
        others = Foreign(leech, *seeds)
        seconds = leech.wait("complete", bench.options.limit) - leech.began
        percent = others.percent()
        for node in (leech, *seeds):
            node.stop()
    if not payload.is_copied_to(there):
        raise Failed("the copy is not what was shared")
    bench.scratch.fresh("out")
    return {"seconds": seconds, "mib_s": payload.size / MIB / seconds, "foreign": percent,
            "share": payload.size * 8 / seconds / (count * LINE), "verified": True}


class Star:
    """Network namespaces behind lines of their own, on `bench_star`; the last one is ours and has no line."""

    def __init__(self, program, count, up, down, delay_us, state, loss_ppm=0, queue_ms=100, jitter_us=0):
        self.hosts = [f"10.8.0.{i + 1}" for i in range(count + 1)]
        self.holders = []
        self.lines = Node("bench_star", [program, str(count + 1), str(up), str(down), str(delay_us), str(loss_ppm),
                                           str(queue_ms), str(jitter_us)], state)
        self.lines.wait("ready", 10)
        try:
            for i, host in enumerate(self.hosts):
                inside = []
                if i < count:
                    self.holders.append(subprocess.Popen(["unshare", "-n", "sleep", "3600"], stdin=subprocess.DEVNULL))
                    inside = self.inside(i)
                    self._wait_for_its_namespace(self.holders[-1].pid)
                    self._run(["ip", "link", "set", f"star{i}", "netns", str(self.holders[-1].pid)])
                for words in (f"ip addr add {host}/24 dev star{i}", f"ip link set star{i} mtu {ETHERNET} txqueuelen 1000 up",
                              "ip link set lo up"):
                    self._run([*inside, *words.split()])
                self._run([*inside, sys.executable, "-c", f"import sys; sys.path.insert(0, {HERE!r}); import harness; "
                           "harness.set_congestion()"])
        except Failed:
            self.close()
            raise

    @staticmethod
    def _run(argv):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(argv)}: {done.stderr.strip()}")

    @staticmethod
    def _wait_for_its_namespace(pid):
        end, ours = now() + 5, os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{pid}/ns/net") == ours:
            if now() > end:
                raise Failed("no network namespace could be made")
            time.sleep(0.005)

    def inside(self, i):
        return ["nsenter", "-t", str(self.holders[i].pid), "-n", "--"]

    def start(self, i, make):
        """make() starts a node; it runs at the end of line i."""
        Node.inside = self.inside(i)
        try:
            return make()
        finally:
            Node.inside = []

    def close(self):
        """[{"sent", "dropped", "lost", "wait_ms", "wait95_ms"}] of each node."""
        self.lines.stop()
        for holder in self.holders:
            holder.kill()
            holder.wait()
        return [e for _, e in self.lines.events if e["event"] == "line"]


def star(bench, engine, payload, count, tracker):
    """1 -> count, each behind 20 Mbit/s up and 100 down, 20 ms from each other: the last one's time by the fluid bound, in
    which no such swarm can be beaten, and what the seed sent (IP bytes) by the payload."""
    e, up, down, leech_count = bench.engines[engine], 20 * 10**6, 100 * 10**6, count
    net = Star(bench.options.star, count + 1, up, down, 10000, bench.scratch.fresh("star"))
    bound = payload.size * 8 * max(1 / up, 1 / down, leech_count / ((leech_count + 1) * up))
    sent = None
    try:
        tracker.host = net.hosts[-1]
        addr = [f"{host}:6881" for host in net.hosts[:-1]]
        seed = net.start(0, lambda: e.seed(payload.torrent("v1"), payload.folder, addr[0], bench.scratch.fresh("seed")))
        seed.wait("started", bench.options.limit)
        there = folders(bench, count)
        others = Foreign(seed, net.lines)
        leeches = Node.together(lambda: [
            net.start(i + 1, lambda i=i, folder=folder: e.join(payload.torrent("v1"), folder, addr[i + 1], addr[:i + 1],
                                                               bench.scratch.fresh(f"leech{i}")))
            for i, folder in enumerate(there)])
        others.nodes += tuple(leeches)
        began = min(leech.began for leech in leeches)
        done = [leech.wait("complete", bench.options.limit) - began for leech in leeches]
        percent = others.percent()
        for node in (*leeches, seed):
            node.stop()
    finally:
        tracker.host = "127.0.0.1"
        sent = net.close()
    if not all(payload.is_copied_to(folder) for folder in there):
        raise Failed("a copy is not what was shared")
    bench.scratch.fresh("out")
    return {"seconds": max(done), "bound": max(done) / bound, "copies": sent[0]["sent"] / payload.size,
            "dropped": sum(line["dropped"] for line in sent), "foreign": percent, "verified": True}


def update(bench, before, after, form):
    """Fetches one version of a data set, then the next with the same state: what crosses the loopback the second time, as
    a part of the whole."""
    shoal = bench.engines["shoal"]
    there, state = bench.scratch.fresh("out"), bench.scratch.fresh("leech")
    for tree, folder in ((before, "before"), (after, "after")):
        here, mine = (f"127.0.0.{i}:{next(bench.ports)}" for i in (1, 2))
        seed = shoal.seed(tree.torrent(form), tree.folder, here, bench.scratch.fresh("seed"))
        seed.wait("started", bench.options.limit)
        time.sleep(0.2 if bench.options.patience else 0)
        begun, others, out = crossed(), Foreign(seed), os.path.join(there, folder)
        leech = shoal.get(tree.torrent(form), out, mine, here, state, stay=False)
        leech.wait("exit", bench.options.limit)
        moved, percent, seconds = crossed() - begun, others.percent(leech.cpu()), leech.ended - leech.began
        leech.stop()
        seed.stop()
        if not tree.is_copied_to(out):
            raise Failed("the copy is not what was shared")
    return {"seconds": seconds, "moved": moved / after.size, "changed": after.changed / after.size, "foreign": percent,
            "verified": True}


def versions(tree):
    """Two versions of a data set, of which one in twenty files has changed, and nearly so of its bytes. tree(changed)
    makes one."""
    before = tree(())
    sets = [range(start, before.count, 20) for start in range(20)]
    files = min(sets, key=lambda s: abs(sum(before.sizes[i] for i in s) - before.size / 20))
    return before, tree(files)

