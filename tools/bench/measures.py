"""tools/bench/measures.py - each measure once. Every one returns a record (a dict of figures) or raises Failed."""
import hashlib
import itertools
import os
import re
import socket
import subprocess
import time

from content import Payload
from content_tree import Tree
from harness import Crashed, Failed, Foreign, Node, Profile, note, now, stop_all, wait_quiet
from swarms import crossed

MIB, GIB = 1 << 20, 1 << 30


def taken(measure):
    """Once more, when libtorrent crashed."""
    try:
        return measure()
    except Crashed as why:
        note(f"{why}; taken again")
        stop_all()
        return measure()
    finally:
        stop_all()


class Bench:
    """What all measures share: the engines, the scratch folders, the payloads, and how patient to be."""

    def __init__(self, engines, scratch, disk, options):
        self.engines, self.scratch, self.disk, self.options = engines, scratch, disk, options
        self.payloads, self.ports, self.kept = {}, itertools.count(20000, 2), itertools.count()

    def payload(self, where, size, piece):
        key = where, size, piece
        if key not in self.payloads:
            folder = os.path.join((self.disk if where == "disk" else self.scratch).path, "source")
            self.payloads[key] = Payload(folder, f"payload-{size}-{piece}", size, piece, seed=size)
            if where == "disk":
                subprocess.run(["sync", "-f", folder], check=True)
        return self.payloads[key]

    def tree(self, where, count, most, piece, changed=()):
        """changed: the files that are new in this version of the folder."""
        key = where, count, most, len(changed)
        if key not in self.payloads:
            folder = os.path.join((self.disk if where == "disk" else self.scratch).path,
                                  "source" + ("-next" if changed else ""))
            self.payloads[key] = Tree(folder, f"tree-{count}", count, most, piece, seed=count, changed=changed)
        return self.payloads[key]

    def forget(self, payload):
        self.payloads = {k: v for k, v in self.payloads.items() if v is not payload}
        for path in (payload.path, *payload.made.values()):
            os.unlink(path)

    def steady(self, measure):
        """Takes it again while others disturb it; the calmest attempt counts."""
        best = None
        for _ in range(self.options.tries):
            wait_quiet(self.options.patience)
            record = taken(measure)
            if best is None or record["foreign"] < best["foreign"]:
                best = record
            if best["foreign"] < self.options.disturbed:
                break
        best["disturbed"] = best["foreign"] >= self.options.disturbed
        return best

    def series(self, cases, reps, what):
        """{case: [records]}, taken A B A B: whatever drifts, drifts for all."""
        out = {name: [] for name, _ in cases}
        for rep in range(reps):
            for name, measure in cases:
                if any("failed" in r for r in out[name]):
                    continue
                try:
                    record = self.steady(measure)
                except Failed as why:
                    record = {"failed": str(why)}
                out[name].append(record)
                note(f"{what} {rep + 1}/{reps} {name}: " + line_of(record))
        return out


def line_of(record):
    if "failed" in record:
        return "FAILED: " + record["failed"]
    order = [("seconds", "%.3f s"), ("mib_s", "%.0f MiB/s"), ("cpu_gib", "%.2f CPU-s/GiB"),
             ("first_ms", "%.0f ms first"), ("done_ms", "%.0f ms done"), ("rss", "%.0f MiB RSS"),
             ("least", "at least %.3f"), ("most", "at most %.3f of it"), ("pause_ms", "longest pause %.0f ms"),
             ("share", "%.3f of the lines"), ("moved", "%.4f of it moved"), ("bound", "%.3f x the bound"),
             ("copies", "%.3f copies from the seed"), ("mbit_s", "%.2f Mbit/s"), ("wait95_ms", "95 %% waited less than %.0f ms"),
             ("joined", "TCP kept %.3f when joined"), ("joins", "%.3f when it joins"),
             ("ideal", "%.3f x what is honest could do"), ("waste", "%.4f wasted"),
             ("false_bans", "%d honest banned"), ("bans", "%d polluters banned"),
             ("unfinished", "%d not done in time"),
             ("foreign", "others %.0f %%")]
    return ", ".join(form % record[key] for key, form in order if record.get(key) is not None)


# ---- 1 seed -> 1 leech ---------------------------------------------------------------------------------------------
def transfer(bench, seeder, leecher, payload, form, where="tmpfs", memory=None, link=False, profile=None):
    """One transfer over loopback; ends with `complete`, or on a disk when all of it is durable."""
    opts = bench.options
    s, g = bench.engines[seeder], bench.engines[leecher]
    port = next(bench.ports)
    here, there = f"127.0.0.1:{port}", f"127.0.0.2:{port + 1}"
    store = bench.disk if where == "disk" else bench.scratch
    # ext4 searches past inodes that were freed lately, at 100 us a file: of many files each run keeps its own.
    out = store.fresh(f"out{next(bench.kept)}" if where == "disk" and isinstance(payload, Tree) else "out")
    torrent = payload.torrent(form)
    item = payload.magnet(form) if link else torrent
    seed = s.seed(torrent, payload.folder, here, bench.scratch.fresh("seed"), memory)
    seed.wait("started", opts.limit)  # checked: it would be charged with hashing otherwise
    around = Foreign(seed)
    time.sleep(0.2 if opts.patience else 0)
    served, others = seed.cpu(), Foreign(seed)
    leech = g.get(item, out, there, here, bench.scratch.fresh("leech"), memory, stay=where != "disk")
    around.nodes += (leech,)
    others.nodes += (leech,)
    prof = Profile(profile, [("seed", seed), ("leech", leech)])
    done = leech.wait("complete", opts.limit)
    rss = [n.memory()[0] for n in (seed, leech)]
    if where == "disk":
        if g.ends_durable:
            done = leech.wait("exit", opts.limit)
        else:
            subprocess.run(["sync", "-f", out], check=True)
            done = now()
    seed_cpu, leech_cpu = seed.cpu() - served, leech.cpu()
    # The system counts in ticks of 10 ms: a short run needs the moment before it for a window worth the name.
    foreign = (others if done - leech.began > 0.3 else around).percent()
    prof.end()
    first = leech.find("first_piece")
    said = leech.find("complete")
    late = said[0] - said[1]["t"]
    seed.stop()
    leech.stop()
    whole = payload.is_copied_to(out)
    if out.endswith("out"):
        store.fresh("out")
    if not whole:
        raise Failed("the copy is not what was shared")
    if leech.status != 0:
        raise Failed(f"the leech exited {leech.status}{leech.why()}")
    seconds = done - leech.began
    return {"seconds": seconds, "mib_s": payload.size / MIB / seconds,
            "cpu_gib": (seed_cpu + leech_cpu) * GIB / payload.size,
            "seed_cpu_gib": seed_cpu * GIB / payload.size, "leech_cpu_gib": leech_cpu * GIB / payload.size,
            "first_ms": (first[0] - leech.began) * 1e3 if first else None, "done_ms": (said[0] - leech.began) * 1e3,
            "rss": max(rss), "seed_rss": rss[0], "leech_rss": rss[1],
            "told_late_ms": late * 1e3, "foreign": foreign, "verified": True}


def latency(bench, engine, payload, link):
    """How soon: with so few bytes, rates and CPU per byte say nothing."""
    record = transfer(bench, engine, engine, payload, "v1", link=link)
    return {k: record[k] for k in ("first_ms", "done_ms", "told_late_ms", "rss", "foreign", "verified")}


def hashing_rss(bench, argv, limit):
    """(wall, CPU, peak RSS in MiB) of one of shoal's commands; the peak as last seen, a few milliseconds before its end."""
    node = Node("shoal", argv, bench.scratch.fresh("node"))
    rss, cpu = 0.0, 0.0
    while node.ended is None:
        rss, cpu = max(rss, node.memory()[0]), max(cpu, node.cpu())
        if now() - node.began > limit:
            raise Failed(f"{argv[1]} took more than {limit:g} s")
        time.sleep(0.002)
    wall, cpu = node.ended - node.began, max(cpu, node.cpu())
    node.stop()
    if node.status != 0:
        raise Failed(f"{argv[1]} exited {node.status}{node.why()}")
    return wall, cpu, rss


def many(bench, what, tree, memory):
    """create, verify, or a transfer of a folder of very many files, and what it holds in memory."""
    program, limit = bench.engines["shoal"].program, bench.options.limit
    if what == "transfer":
        return transfer(bench, "shoal", "shoal", tree, "v2", memory=memory)
    out = os.path.join(bench.scratch.path, "made.torrent")
    argv = {"create": [program, "create", tree.path, "-o", out, "--force", "--format", "v2", "--piece-size", str(tree.piece),
                       "--no-date", "--json", "--quiet"],
            "verify": [program, "verify", tree.torrent("v2"), "-d", tree.folder, "--json", "--quiet"]}[what]
    others = Foreign()
    wall, cpu, rss = hashing_rss(bench, argv, limit)
    if what == "create" and not tree.is_torrent_of_it(out, "v2"):
        raise Failed("its torrent is not the one these bytes have")
    return {"seconds": wall, "cpu_gib": cpu * GIB / tree.size, "rss": rss, "foreign": others.percent(cpu), "verified": True}


# ---- under a limit --------------------------------------------------------------------------------------------
def rate(bench, payload, way, limit, seconds):
    """Under --up or --down, seen from outside: what crosses the loopback in any five seconds (or half the time), as a
    part of the limit. The limit counts payload; headers and acknowledgements, some 0.5 %, are in the figure."""
    shoal, port = bench.engines["shoal"], next(bench.ports)
    here, there = f"127.0.0.1:{port}", f"127.0.0.2:{port + 1}"
    more = [f"--{way}", str(limit)]
    seed = shoal.seed(payload.torrent("v1"), payload.folder, here, bench.scratch.fresh("seed"),
                      more=more if way == "up" else ())
    seed.wait("started", bench.options.limit)
    begun, start, served = crossed(), now(), seed.cpu()
    leech = shoal.get(payload.torrent("v1"), bench.scratch.fresh("out"), there, here, bench.scratch.fresh("leech"),
                      more=more if way == "down" else ())
    others = Foreign(seed, leech)
    while crossed() < begun + 65536 and now() < start + bench.options.limit:
        time.sleep(0.01)
    samples = [(now(), crossed())]
    while samples[-1][0] < samples[0][0] + seconds and samples[-1][1] - begun < 0.95 * payload.size:
        if now() > start + bench.options.limit:
            raise Failed("nothing moves")
        time.sleep(0.02)
        samples.append((now(), crossed()))
    cpu, percent = seed.cpu() - served + leech.cpu(), others.percent()
    leech.stop()
    seed.stop()
    seconds, moved = samples[-1][0] - samples[0][0], samples[-1][1] - samples[0][1]
    wide, parts, j = min(5.0, seconds / 2), [], 0
    pause, news = 0.0, samples[0]
    for t, n in samples:
        while samples[j + 1][0] <= t - wide:
            j += 1
        if t - samples[j][0] >= wide:
            parts.append((n - samples[j][1]) / (t - samples[j][0]) / limit)
        if n > news[1]:
            pause, news = max(pause, t - news[0]), (t, n)
    return {"seconds": seconds, "mib_s": moved / MIB / seconds, "cpu_gib": cpu * GIB / (samples[-1][1] - begun),
            "window_s": wide, "least": min(parts), "most": max(parts), "pause_ms": pause * 1e3, "foreign": percent}


# ---- hashing -------------------------------------------------------------------------------------------------------
def hashed(payload, timed):
    """A record of a command that reads all of the payload once."""
    others = Foreign()
    wall, cpu = timed()
    return {"seconds": wall, "mib_s": payload.size / MIB / wall, "cpu_gib": cpu * GIB / payload.size,
            "foreign": others.percent(cpu), "verified": True}


def create(bench, engine, payload, form, threads):
    out = os.path.join(bench.scratch.path, "made.torrent")
    record = hashed(payload, lambda: bench.engines[engine].create(payload.path, out, form, payload.piece, threads))
    if not payload.is_torrent_of_it(out, form):
        raise Failed("its torrent is not the one these bytes have")
    return record


def verify(bench, engine, payload, form, threads):
    if engine == "shoal":
        return hashed(payload, lambda: bench.engines[engine].verify(payload.torrent(form), payload.folder, threads))
    # More threads are not always sooner, for they share one map of the file: its better setting counts.
    return min((check(bench, engine, payload, form, n) for n in (1, threads)), key=lambda record: record["seconds"])


def check(bench, engine, payload, form, threads):
    """What an engine takes to check its data before it seeds."""
    port = next(bench.ports)
    node = bench.engines[engine].seed(payload.torrent(form), payload.folder, f"127.0.0.1:{port}",
                                      bench.scratch.fresh("seed"),
                                      settings=[f"hashing_threads={threads}", f"aio_threads={max(threads, 2)}"])
    others = Foreign(node)
    seconds = node.wait("complete", bench.options.limit) - node.began
    cpu, foreign = node.cpu(), others.percent()
    node.stop()
    return {"seconds": seconds, "mib_s": payload.size / MIB / seconds, "cpu_gib": cpu * GIB / payload.size,
            "foreign": foreign, "verified": True}


# ---- what the machine can do ---------------------------------------------------------------------------------------
def hash_speed(digest, seconds, step=MIB):
    """One stream, MiB/s. Python's own is OpenSSL's."""
    h, block = hashlib.new(digest), os.urandom(step)
    n, t = 0, now()
    while now() - t < seconds:
        h.update(block)
        n += step
    return n / MIB / (now() - t)


def memcpy_speed(seconds, step=256 << 10):
    a, b = memoryview(bytearray(step)), os.urandom(step)  # not zeros: those would all be one page
    n, t = 0, now()
    while now() - t < seconds:
        for _ in range(256):
            a[:] = b
        n += 256
    return n * step / MIB / (now() - t)


def write_speed(folder, size, step=256 << 10):
    path, block = os.path.join(folder, "limit"), os.urandom(step)
    fd = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        t = now()
        for at in range(0, size, step):
            os.pwrite(fd, block, at)
        return size / MIB / (now() - t)
    finally:
        os.close(fd)
        os.unlink(path)


def tcp_speed(size, step=256 << 10):
    """write -> recv over loopback, a process each."""
    listener = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if child == 0:
        with socket.create_connection(listener.getsockname()) as s:
            block = bytes(step)
            for _ in range(size // step):
                s.sendall(block)
        os._exit(0)
    conn, _ = listener.accept()
    got, room, t = 0, bytearray(step), now()
    while n := conn.recv_into(room):
        got += n
    spent = now() - t
    os.waitpid(child, 0)
    conn.close()
    listener.close()
    return got / MIB / spent


def limits(bench, seconds=1.0):
    others = Foreign()
    t = os.times()  # the sender is a child
    out = {"sha1": hash_speed("sha1", seconds), "sha256": hash_speed("sha256", seconds),
           "memcpy": memcpy_speed(seconds / 2), "tmpfs_write": write_speed(bench.scratch.path, int(seconds * GIB)),
           "tcp": tcp_speed(int(4 * seconds * GIB))}
    u = os.times()
    out["foreign"] = others.percent(u.children_user + u.children_system - t.children_user - t.children_system)
    return out


def hash_lanes(program, mib):
    """{hash: {"best", "lanes", "openssl", "ratio"}} of this machine's kernel, by the digest bench: MB/s, one core."""
    done = subprocess.run([program, str(mib)], capture_output=True, text=True, check=False, timeout=300)
    kernel = re.search(r"best here: ([\w-]+)", done.stdout)
    if done.returncode != 0 or not kernel:
        raise Failed(f"{program} exited {done.returncode}")
    out = {}
    for name, digest, lanes, ours, other in re.findall(
            r"^(\S+)\s+(sha1|sha256)\s+(\d+)\s+(\d+) MB/s\s+EVP\s+(\d+) MB/s", done.stdout, re.M):
        ratio = int(ours) / int(other)
        if name == kernel.group(1) and ratio > out.get(digest, {"ratio": 0})["ratio"]:
            out[digest] = {"best": int(ours), "lanes": int(lanes), "openssl": int(other), "ratio": ratio}
    return out
