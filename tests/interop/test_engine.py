"""test_engine.py - the engine that is libtorrent (--engine libtorrent) under the same command line: results, events, exit codes.

In a namespace of its own. Copies are compared by an independent hash.
"""
import os
import signal
import subprocess
import sys
import time

import closed

closed.enter()
import shapes  # noqa: E402
from cases import Cases, scratch  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402

CHILD = os.path.join(os.path.dirname(os.path.abspath(Shoal.program)), "shoal-lt")
PATIENCE = 60  # seconds that anything may take to end, where the machine has much else to do
FILES = {"content/a": 3_000_000, "content/deep/b": 70_001, "content/empty": 0, "content/one": 1}


def ended(s):
    """Its exit code."""
    try:
        return s.process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        raise AssertionError("it does not end\n" + s.why()) from None


class Case:
    def __init__(self, work, fmt="hybrid", words=()):
        self.work = work
        self.source = os.path.join(work, "source")
        tree(self.source, FILES, 8)
        self.torrent = os.path.join(work, "t.torrent")
        subprocess.run([Shoal.program, "create", os.path.join(self.source, "content"), "-o", self.torrent, "--format", fmt,
                        "--quiet", *words], check=True)
        self.running = []

    def shoal(self, name, *args):
        s = Shoal(os.path.join(self.work, name), *args, "--no-lsd", "--no-dht", "--no-portmap")
        self.running.append(s)
        return s

    def seed(self, engine, port=7001):
        s = self.shoal("seed", "seed", self.torrent, "-d", self.source, "--engine", engine, "--listen", f"127.0.0.1:{port}")
        wait(lambda: s.last("started"), "the seed has started", s)
        return s

    def get(self, name, engine, *args, source=None):
        return self.shoal(name, "get", source or self.torrent, "-o", os.path.join(self.work, name + ".copy"), "--engine", engine,
                          "--listen", "127.0.0.1:7002", *args)

    def fetched(self, s, name):
        assert ended(s) == 0, s.why()
        copy = os.path.join(self.work, name + ".copy", "content")
        there, wanted = digests(copy), digests(os.path.join(self.source, "content"))
        assert there == wanted, f"{name}: the copies differ: {there} is not {wanted}\n{s.why()}"
        return s.last("complete"), s.last("summary")

    def stop(self):
        for s in self.running:
            s.stop()


def both_engines_both_ways(case):
    for seeds, gets in (("libtorrent", "native"), ("native", "libtorrent"), ("libtorrent", "libtorrent")):
        seed = case.seed(seeds)
        name = f"{seeds}-{gets}"
        _, told = case.fetched(case.get(name, gets, "--peer", "127.0.0.1:7001"), name)
        if gets == "native":  # libtorrent counts what its peers gave once a second, and forgets who has left
            assert sum(p["got"] for p in told["peers"]) >= 3_000_000, told
        link = subprocess.run([Shoal.program, "magnet", case.torrent], check=True, capture_output=True, text=True).stdout.strip()
        case.fetched(case.get(name + "-link", gets, "--peer", "127.0.0.1:7001", "--adopt", "off", source=link), name + "-link")
        assert seed.stop() == 0, "a seed that is told to end ends well"


def many_links_at_once(case):
    """libtorrent takes its time to want what it is told to want: while nothing is wanted nothing is missing, or complete."""
    case.seed("native")
    link = subprocess.run([Shoal.program, "magnet", case.torrent], check=True, capture_output=True, text=True).stdout.strip()
    names = [f"one-of-many-{i}" for i in range(5)]
    gets = [case.shoal(name, "get", link, "-o", os.path.join(case.work, name + ".copy"), "--engine", "libtorrent", "--listen",
                       f"127.0.0.{2 + i}:7002", "--peer", "127.0.0.1:7001", "--adopt", "off") for i, name in enumerate(names)]
    for s, name in zip(gets, names):
        case.fetched(s, name)


def only_some_files(case):
    case.seed("native")
    s = case.get("some", "libtorrent", "--peer", "127.0.0.1:7001", "--only", "b")
    assert ended(s) == 0, s.why()
    copy = os.path.join(case.work, "some.copy", "content")
    assert digests(os.path.join(copy, "deep")) == digests(os.path.join(case.source, "content", "deep")), digests(copy)
    assert not os.path.exists(os.path.join(copy, "one")), "it was not wanted"


def a_symlink_is_not_made(case):
    """Its sandbox forbids libtorrent to make one; the torrent is not to end over it, by a file or by a link."""
    shape = next(s for s in shapes.sound() if s.name == "symlink-out-hybrid")
    case.torrent = os.path.join(case.work, "l.torrent")
    with open(case.torrent, "wb") as f:
        f.write(shape.torrent)
    os.makedirs(os.path.join(case.source, "t"))
    with open(os.path.join(case.source, "t", "a"), "wb") as f:
        f.write(shape.files[0].data)
    case.seed("native")
    link = subprocess.run([Shoal.program, "magnet", case.torrent], check=True, capture_output=True, text=True).stdout.strip()
    for name, source in ("file", case.torrent), ("link", link):
        s = case.get(name, "libtorrent", "--peer", "127.0.0.1:7001", "--adopt", "off", source=source)
        assert ended(s) == 0, s.why()
        assert os.listdir(os.path.join(case.work, name + ".copy", "t")) == ["a"]


def goes_on_where_it_stopped(case):
    case.seed("native")
    s = case.get("twice", "libtorrent", "--peer", "127.0.0.1:7001", "--down", "500K")
    wait(lambda: (s.last("progress") or {}).get("done", 0) > 500_000, "some of it is there", s)
    assert s.stop() == 130, "it was not done"
    s = case.get("twice", "libtorrent", "--peer", "127.0.0.1:7001")
    done, _ = case.fetched(s, "twice")
    assert done["downloaded"] < 2_900_000, f"all of it again: {done}"


def nobody_is_there(case):
    assert ended(case.get("alone", "libtorrent", "--peer", "127.0.0.1:9", "--timeout", "2")) == 5


def a_seed_without_its_data(case):
    os.remove(os.path.join(case.source, "content", "a"))
    s = case.shoal("bare", "seed", case.torrent, "-d", case.source, "--engine", "libtorrent", "--listen", "127.0.0.1:7001")
    assert ended(s) == 1, s.why()
    assert not os.path.exists(os.path.join(case.source, "content", "a")), "a seed writes nothing"


def an_address_that_is_taken(case):
    case.seed("native")
    s = case.get("deaf", "libtorrent", source=case.torrent)
    s.stop()
    t = case.shoal("taken", "seed", case.torrent, "-d", case.source, "--engine", "libtorrent", "--listen", "127.0.0.1:7001")
    assert ended(t) == 5, t.why()


def strangers_need_a_newer_one(case):
    words = ("--peer", "127.0.0.1:9", "--timeout", "2")
    for tracker, more, code in (("http://tracker.example/announce", (), 6),
                                ("http://tracker.example/announce", ("--accept-old-libtorrent",), 5),
                                ("http://tracker.example/announce", ("--no-trackers",), 5),
                                ("http://127.0.0.1:9/announce", (), 5)):
        torrent = os.path.join(case.work, "public.torrent")
        subprocess.run([Shoal.program, "create", os.path.join(case.source, "content"), "-o", torrent, "--quiet", "--force",
                        "--tracker", tracker], check=True)
        s = case.get("public", "libtorrent", *words, *more, source=torrent)
        assert ended(s) == code, f"{tracker} {more}: {s.process.returncode}\n{s.why()}"
        s.stop()


def its_process_dies(case):
    s = case.get("shot", "libtorrent", "--peer", "127.0.0.1:9")
    wait(lambda: s.last("started"), "it has begun", s)
    children = open(f"/proc/{s.process.pid}/task/{s.process.pid}/children", encoding="ascii").read().split()
    assert len(children) == 1, children
    os.kill(int(children[0]), signal.SIGKILL)
    assert ended(s) not in (0, None) and "signal 9" in open(s.log, encoding="utf-8").read() + str(s.last("error")), s.why()


def nothing_is_left_when_we_die(case):
    s = case.get("orphan", "libtorrent", "--peer", "127.0.0.1:9")
    wait(lambda: s.last("started"), "it has begun", s)
    child = int(open(f"/proc/{s.process.pid}/task/{s.process.pid}/children", encoding="ascii").read().split()[0])
    s.process.kill()
    s.process.wait()
    end = time.monotonic() + PATIENCE
    while os.path.exists(f"/proc/{child}") and time.monotonic() < end:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{child}"), "its child lives on"


def it_is_shut_in(case):
    s = case.get("shut", "libtorrent", "--peer", "127.0.0.1:9")
    wait(lambda: s.last("started"), "it has begun", s)
    child = open(f"/proc/{s.process.pid}/task/{s.process.pid}/children", encoding="ascii").read().split()[0]
    status = dict(line.rstrip("\n").split(":\t", 1) for line in open(f"/proc/{child}/status", encoding="ascii") if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status


def by_hand_it_says_what_it_is(case):
    done = subprocess.run([CHILD], capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "started by shoal" in done.stderr, done


def without_it_we_say_so(case):
    done = subprocess.run([Shoal.program, "get", case.torrent, "--engine", "libtorrent", "--state", case.work + "/st"],
                          capture_output=True, text=True, timeout=PATIENCE, check=False, env={**os.environ, "SHOAL_LT": "/nowhere"})
    assert done.returncode == 4 and "without libtorrent" in done.stderr, done


CASES = [
    both_engines_both_ways, many_links_at_once, only_some_files, a_symlink_is_not_made, goes_on_where_it_stopped, nobody_is_there,
    a_seed_without_its_data, an_address_that_is_taken, strangers_need_a_newer_one, its_process_dies, nothing_is_left_when_we_die, it_is_shut_in,
    by_hand_it_says_what_it_is, without_it_we_say_so,
]


def one(run):
    with scratch("engine") as work:
        case = Case(work)
        try:
            run(case)
        finally:
            case.stop()


def main():
    if not os.path.exists(CHILD):
        print("SKIPPED: built without libtorrent")
        sys.exit(77)
    cases = Cases()
    for run in CASES:
        cases.run(run.__name__, one, run)
    sys.exit(cases.end())


main()
