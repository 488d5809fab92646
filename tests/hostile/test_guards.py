"""test_guards.py - each case has teeth: with its guard taken out of the program, it turns red.

Always: every guard of guards.py still stands where it is said to stand, and the cases it names are those there are. With
SHOAL_LONG (tools/check --full), or with --run [CASE...]: each guard is taken out of a copy of the tree in turn, the
program built anew, and the cases played; a table is printed, and a case that stays green fails the test. --table FILE
keeps the table, of all rows run so far, as a page (teeth.md is made so).
"""
import argparse
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
from guards import BARE, FAULTS, GUARDS  # noqa: E402

KINDS = (("", GUARDS), ("fault in ", FAULTS))
ROWS = GUARDS + FAULTS
# Without its guard a function may have arguments, and a file functions, that nobody uses.
QUIET = "".join(f'#pragma GCC diagnostic ignored "-Wunused-{what}"\n' for what in (
    "function", "variable", "parameter", "but-set-variable", "const-variable", "value", "label"))

ROOMS = ("include", "proto", "dht", "swarm", "tools", "tests", "CMakeLists.txt", "CMakePresets.json")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def known_cases():
    out = subprocess.run([os.path.join(TREE, "tools", "hostile"), "list"], check=True, capture_output=True, text=True).stdout
    return [line.split()[0] for line in out.splitlines()[:-1]]


def moved():
    """Guards that do not stand where guards.py says, cases nobody knows, and cases that nobody thought of."""
    cases, out = known_cases(), []
    named = {i for ids, *_ in ROWS for i in ids.split()}
    out += [f"{i} has no row" for i in cases if i not in named and i not in BARE]
    out += [f"{i} has a row, and is said to have none" for i in BARE if i in named]
    for ids, *edits in ROWS:
        out += [f"no case {i}" for i in ids.split() if i not in cases]
        out += [f"{ids}: {path} has {read(TREE, path).count(old)} times: {old.strip()}" for path, old, _ in edits
                if read(TREE, path).count(old) != 1]
    return out


class Lane:
    """A copy of the tree and a build of it."""

    def __init__(self, pristine, folder):
        self.pristine = pristine
        self.tree = os.path.join(folder, "tree")
        self.build = os.path.join(self.tree, "build", "dev")
        shutil.copytree(pristine, self.tree)
        # As the day's work is built: with ccache, where there is one, little is compiled but what a row changes.
        self.env = {**os.environ, "CCACHE_BASEDIR": self.tree, "CCACHE_NOHASHDIR": "1"}
        cache = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        subprocess.run(["cmake", "--preset", "dev", "-DSHOAL_LIBTORRENT=OFF", "-DSHOAL_TESTS=OFF", *cache], check=True,
                       capture_output=True, cwd=self.tree)
        self.make()

    def make(self):
        return subprocess.run(["ninja", "-j2", "-C", self.build, "shoal"], capture_output=True, text=True, env=self.env)

    def play(self, cases):
        """The rows of the card; `cases` are whole ids, and begin no others."""
        done = subprocess.run(["timeout", "600", os.path.join(self.tree, "tools", "hostile"), "run", *cases, "--json",
                               "--patience", "1.5", "--shoal", os.path.join(self.build, "shoal")], capture_output=True, text=True)
        return {r["id"]: r for r in map(json.loads, done.stdout.splitlines()) if "id" in r}

    def without(self, ids, edits):
        """What the cases make of a program without that guard: (id, red, what was seen) each."""
        texts = {}
        for path, old, new in edits:
            texts[path] = texts.get(path, read(self.pristine, path)).replace(old, new)
        for path, text in texts.items():
            with open(os.path.join(self.tree, path), "w", encoding="utf-8") as f:
                f.write(QUIET + text)
        built = self.make()
        try:
            if built.returncode != 0:
                return [(i, False, "it does not build:\n" + built.stdout[-1500:]) for i in ids]
            rows = self.play(ids)
            return [(i, not r["ok"] or bool(r["harm"]), "; ".join(r["harm"]) or r["seen"]) if (r := rows.get(i))
                    else (i, False, "it was not played to its end") for i in ids]
        finally:
            for path in texts:
                shutil.copy(os.path.join(self.pristine, path), os.path.join(self.tree, path))
                os.utime(os.path.join(self.tree, path))


def names_of(edits):
    """Where it was taken out, for people: each file once."""
    return ", ".join(dict.fromkeys(path for path, _, _ in edits))


class Table:
    """What was seen of each case; kept in a page between runs when there is one."""
    HEAD = ["| case | | without | seen |", "|---|---|---|---|"]

    def __init__(self, page):
        self.page, self.rows = page, {}
        if page and os.path.exists(page):
            for line in read("", page).splitlines():
                cells = [c.strip() for c in line.strip("|").split(" | ")]
                if len(cells) == 4 and line.startswith("| ") and cells[0] != "case":
                    self.rows[cells[0], cells[2]] = cells

    def add(self, case, red, where, seen):
        seen = " ".join(seen.split())[:110].replace("|", "/")
        self.rows[case, where] = [case, "red" if red else "GREEN", where, seen]

    def write(self, order):
        if not self.page:
            return
        at = {c: k for k, c in enumerate(order)}
        there = {(i, kind + names_of(edits)) for kind, rows in KINDS for ids, *edits in rows for i in ids.split()}
        rows = sorted((r for of, r in self.rows.items() if of in there), key=lambda r: (at[r[0]], r[2]))
        red = sum(r[1] == "red" for r in rows)
        with open(self.page, "w", encoding="utf-8") as f:
            f.write("# What each case makes of a program without its guard\n\nMade by `test_guards.py --run --table teeth.md` "
                    "(README.md); a *fault in* is put in where no guard\nstands. " f"{len({r[0] for r in rows})} cases in {len(rows)} rows, "
                    f"{red} of them red.\n\n" + "\n".join(self.HEAD + ["| " + " | ".join(r) + " |" for r in rows]) + "\n")


def run(wanted, page):
    folder = tempfile.mkdtemp(prefix="shoal-guards-")
    pristine = os.path.join(folder, "pristine")  # the tree may be worked on meanwhile
    os.makedirs(pristine)
    for name in ROOMS:
        source = os.path.join(TREE, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, os.path.join(pristine, name))
    building = threading.Lock()
    todo, green, lock, count, table, order = queue.Queue(), [], threading.Lock(), [0], Table(page), known_cases()
    for kind, rows in KINDS:
        for row in rows:
            if not wanted or any(i.startswith(w) for i in row[0].split() for w in wanted):
                todo.put((kind, row))

    def work(k):
        with building:
            lane = Lane(pristine, os.path.join(folder, str(k)))
        while True:
            try:
                kind, (ids, *edits) = todo.get_nowait()
            except queue.Empty:
                return
            for case, red, seen in lane.without(ids.split(), edits):
                with lock:
                    count[0] += 1
                    green.extend([] if red else [case])
                    table.add(case, red, kind + names_of(edits), seen)
                    table.write(order)
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
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--run", nargs="*", metavar="CASE", help="ids, or beginnings of ids; none: all")
    p.add_argument("--table", metavar="FILE", help="the page with what was seen")
    o = p.parse_args()
    faults = moved()
    print("\n".join(faults))
    print(f"{len(ROWS)} guards, {len(faults)} not where they were")
    if faults:
        return 1
    if o.run is not None or os.environ.get("SHOAL_LONG"):
        return run(o.run or [], o.table)
    return 0


sys.exit(main())
