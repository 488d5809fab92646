"""tools/try_swarm.py SHOAL - one seed, four leeches, one machine: shows them at work and holds them to it.

Run by tools/try inside a network namespace of its own. Exits 0 when every copy is whole and every
leech got at least a tenth of it from each of two others that are not the first seed.
"""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

LEECHES = 4
SHARE = 0.10        # of the data, from each of ...
OTHERS = 2          # ... so many nodes that are not the first seed
SEED_UP = "24M"     # a seed that is not endless, so that serving each other pays
LIMIT = 120         # seconds

PORT = 6881


def sample(folder):
    """A data set as people have them: a few large files, many small ones, an empty one, odd names."""
    rnd = random.Random(2026)
    sizes = {"model/weights.bin": 48 << 20, "model/optimizer.bin": 24 << 20, "images/train.tar": 20 << 20, "empty": 0}
    sizes.update({f"text/{i // 100:02d}/page {i:03d}.txt": rnd.randrange(1, 40000) for i in range(300)})
    sizes["text/\u00fcbersicht.csv"] = 123457
    for name, size in sizes.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(rnd.randbytes(size))
    return len(sizes), sum(sizes.values())


def digests(folder):
    """Path -> SHA-256, by Python's own hash: it shares no code with the engine."""
    out = {}
    for where, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(where, name)
            h = hashlib.sha256()
            with open(path, "rb") as f:
                while block := f.read(1 << 20):
                    h.update(block)
            out[os.path.relpath(path, folder)] = h.digest()
    return out


class Node:
    """A running shoal whose JSON lines are read as they come."""

    def __init__(self, name, address, argv, log):
        self.name, self.address, self.events, self.lines = name, address, [], b""
        self.log = open(log, "wb")
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=self.log)
        os.set_blocking(self.process.stdout.fileno(), False)

    def read(self):
        while data := self.process.stdout.read():
            self.lines += data
        *whole, self.lines = self.lines.split(b"\n")
        self.events += [json.loads(line) for line in whole if line.strip()]

    def last(self, kind):
        return next((e for e in reversed(self.events) if e["event"] == kind), None)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.read()


def wait(nodes, done, what):
    end = time.monotonic() + LIMIT
    while True:
        for node in nodes:
            node.read()
        if done():
            return
        dead = [n for n in nodes if n.process.poll() is not None]
        if dead or time.monotonic() > end:
            for n in dead or nodes:
                sys.stderr.write(f"{n.name}: {open(n.log.name, errors='replace').read()[-2000:]}\n")
            sys.exit(f"tools/try: {dead[0].name + ' ended' if dead else 'time is up'} while waiting for {what}")
        time.sleep(0.1)


def bar(share, width=24):
    full = int(share * width)
    return "#" * full + "." * (width - full)


def show(leeches, total, live):
    rows = []
    for n in leeches:
        e = n.last("progress") or {}
        done = total if n.last("complete") else e.get("done", 0)
        rows.append(f"  {n.name}  [{bar(done / total)}] {100 * done / total:5.1f} %  down {e.get('down', 0) / 2**20:6.1f} MiB/s"
                    f"  up {e.get('up', 0) / 2**20:6.1f} MiB/s  {e.get('peers', 0)} peers")
    if live:
        sys.stdout.write("\n".join(r + "\x1b[K" for r in rows) + f"\n\x1b[{len(rows)}A")
    else:
        print("  ".join(f"{n.name} {100 * (total if n.last('complete') else (n.last('progress') or {}).get('done', 0)) / total:.0f} %"
                        for n in leeches))
    sys.stdout.flush()


def main():
    shoal = os.path.abspath(sys.argv[1])
    work = tempfile.mkdtemp(prefix="shoal-try-")
    nodes = []
    try:
        data = os.path.join(work, "dataset")
        count, total = sample(data)
        print(f"sample data: {count} files, {total / 2**20:.0f} MiB")
        torrent = os.path.join(work, "dataset.torrent")
        subprocess.run([shoal, "create", data, "-o", torrent, "--quiet"], check=True)
        for i in range(1, LEECHES + 2):
            subprocess.run(["ip", "addr", "add", f"10.77.0.{i}/32", "dev", "lo"], check=True)

        def start(i, argv):
            name = f"node {i}"
            os.mkdir(f"{work}/{i}")
            nodes.append(Node(name, f"10.77.0.{i}:{PORT}", [shoal] + argv + [
                "--listen", f"10.77.0.{i}:{PORT}", "--state", f"{work}/{i}/state", "--json"], f"{work}/{i}.log"))
            return nodes[-1]

        seed = start(1, ["seed", torrent, "-d", work, "--up", SEED_UP])
        wait([seed], lambda: seed.last("started"), "the seed to be ready")
        print(f"node 1 shares it at {seed.address}, at {SEED_UP}iB/s; nodes 2 to {LEECHES + 1} fetch it and serve each other")
        began = time.monotonic()
        for i in range(2, LEECHES + 2):
            peers = [p for k in range(1, LEECHES + 2) if k != i for p in ("--peer", f"10.77.0.{k}:{PORT}")]
            start(i, ["get", torrent, "-o", f"{work}/{i}/copy", "--seed"] + peers)
        leeches = nodes[1:]
        live = sys.stdout.isatty()
        shown = [0.0]

        def finished():
            if time.monotonic() - shown[0] > (0.2 if live else 2):
                shown[0] = time.monotonic()
                show(leeches, total, live)
            return all(n.last("complete") for n in leeches)

        wait(nodes, finished, "the copies")
        took = time.monotonic() - began
        show(leeches, total, live)
        if live:
            sys.stdout.write(f"\x1b[{len(leeches)}B")
        print(f"all {LEECHES} copies complete in {took:.1f} s")
        for n in nodes:
            n.stop()

        truth = digests(data)
        for i in range(2, LEECHES + 2):
            if digests(f"{work}/{i}/copy/dataset") != truth:
                sys.exit(f"tools/try: the copy of node {i} is not the data set")
            code = subprocess.run([shoal, "verify", torrent, "-d", f"{work}/{i}/copy", "--quiet"]).returncode
            if code != 0:
                sys.exit(f"tools/try: shoal verify says {code} of the copy of node {i}")
        print(f"every copy verified: {len(truth)} files each, by shoal and by an independent hash")

        name_of = {n.address.rpartition(":")[0]: n.name for n in nodes}
        print("\nwho sent what to whom (MiB):")
        print("  to \\ from" + "".join(f"{n.name:>9}" for n in nodes) + "   wasted")
        poor = []
        for n in leeches:
            row = {}  # by host: who dialled us comes from another port
            for p in n.last("summary")["peers"]:
                name = name_of.get(p["addr"].rpartition(":")[0])
                row[name] = row.get(name, 0) + p["got"]
            wasted = (n.last("complete") or {}).get("wasted", 0)
            if sum(row.get(m.name, 0) for m in nodes) < total:
                sys.exit(f"tools/try: of what {n.name} got, {sum(row.values())} of {total} bytes stand in somebody's row: {row}")
            print(f"  {n.name:9}" + "".join(f"{row.get(m.name, 0) / 2**20:9.1f}" for m in nodes) + f"{wasted / 2**20:9.1f}")
            if sum(row.get(m.name, 0) >= SHARE * total for m in leeches) < OTHERS:
                poor.append(n.name)
        if poor:
            sys.exit(f"tools/try: {', '.join(poor)} got less than {100 * SHARE:.0f} % from two others beside the first seed")
        print(f"\nevery node got at least {100 * SHARE:.0f} % from each of {OTHERS} or more others that are not the first seed.")
        print("next: build/release/shoal --help")
    finally:
        for n in nodes:
            n.stop()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
