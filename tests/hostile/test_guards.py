"""test_guards.py - each case has teeth: with its guard taken out of the program, it turns red.

Always: every guard of guards.py still stands where it is said to stand, and every case it names exists. With SHOAL_LONG
(tools/check --full), or with --run [CASE...]: each guard is taken out of a copy of the tree in turn, the program built
anew, and the cases played; a table is printed, and a case that stays green fails the test.
"""
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.realpath(os.environ.get("SHOAL_TREE") or os.path.join(HERE, "..", ".."))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
from guards import GUARDS  # noqa: E402

ROOMS = ("include", "proto", "dht", "swarm", "tools", "tests", "CMakeLists.txt", "CMakePresets.json")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def known_cases():
    out = subprocess.run([os.path.join(TREE, "tools", "hostile"), "list"], check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in out.splitlines()[:-1]}


def moved():
    """Guards that do not stand where guards.py says, and cases nobody knows."""
    cases, out = known_cases(), []
    for ids, *edits in GUARDS:
        out += [f"no case {i}" for i in ids.split() if i not in cases]
        out += [f"{ids}: {path} has {read(TREE, path).count(old)} times: {old.strip()}" for path, old, _ in edits
                if read(TREE, path).count(old) != 1]
    return out


class Lane:
    """A copy of the tree and a build of it."""

    def __init__(self, pristine, folder):
        self.pristine = pristine
        self.tree, self.build = os.path.join(folder, "tree"), os.path.join(folder, "build")
        shutil.copytree(pristine, self.tree)
        subprocess.run(["cmake", "-G", "Ninja", "-S", self.tree, "-B", self.build, "-DCMAKE_BUILD_TYPE=Release",
                        "-DSHOAL_WERROR=OFF", "-DSHOAL_LIBTORRENT=OFF", "-DSHOAL_TESTS=OFF"], check=True, capture_output=True)
        self.make()

    def make(self):
        return subprocess.run(["nice", "ninja", "-C", self.build, "shoal"], capture_output=True, text=True)

    def play(self, cases):
        done = subprocess.run([os.path.join(TREE, "tools", "hostile"), "run", *cases, "--json", "--patience", "1.5", "--shoal",
                               os.path.join(self.build, "shoal")], capture_output=True, text=True, timeout=600)
        return {r["id"]: r for r in map(json.loads, done.stdout.splitlines()) if "id" in r}

    def without(self, ids, edits):
        """What the cases make of a program without that guard: (id, red, what was seen) each."""
        texts = {}
        for path, old, new in edits:
            texts[path] = texts.get(path, read(self.pristine, path)).replace(old, new)
        for path, text in texts.items():
            with open(os.path.join(self.tree, path), "w", encoding="utf-8") as f:
                f.write(text)
        built = self.make()
        try:
            if built.returncode != 0:
                return [(i, False, "it does not build:\n" + built.stdout[-1500:]) for i in ids]
            rows = self.play(ids)
            return [(i, not rows[i]["ok"] or bool(rows[i]["harm"]), "; ".join(rows[i]["harm"]) or rows[i]["seen"]) for i in ids]
        finally:
            for path in texts:
                shutil.copy(os.path.join(self.pristine, path), os.path.join(self.tree, path))
                os.utime(os.path.join(self.tree, path))


def run(wanted):
    folder = tempfile.mkdtemp(prefix="shoal-guards-")
    pristine = os.path.join(folder, "pristine")  # the tree may be worked on meanwhile
    os.makedirs(pristine)
    for name in ROOMS:
        source = os.path.join(TREE, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, os.path.join(pristine, name))
    todo, green, lock, count = queue.Queue(), [], threading.Lock(), [0]
    for row in GUARDS:
        if not wanted or set(row[0].split()) & set(wanted):
            todo.put(row)

    def work(k):
        lane = Lane(pristine, os.path.join(folder, str(k)))
        while True:
            try:
                ids, *edits = todo.get_nowait()
            except queue.Empty:
                return
            for case, red, seen in lane.without(ids.split(), edits):
                with lock:
                    count[0] += 1
                    green.extend([] if red else [case])
                    print(f"{'red  ' if red else 'GREEN'} {case:6} {edits[0][0]:28} {seen.splitlines()[0][:90] if red else seen}",
                          flush=True)
    try:
        lanes = [threading.Thread(target=work, args=(k,)) for k in range(2)]
        for t in lanes:
            t.start()
        for t in lanes:
            t.join()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{count[0]} cases without their guard, {len(green)} of them still green: {' '.join(green)}")
    return 1 if green or not count[0] else 0


def main():
    faults = moved()
    print("\n".join(faults))
    print(f"{len(GUARDS)} guards, {len(faults)} not where they were")
    if faults:
        return 1
    if "--run" in sys.argv or os.environ.get("SHOAL_LONG"):
        return run(sys.argv[sys.argv.index("--run") + 1:] if "--run" in sys.argv else [])
    return 0


sys.exit(main())
