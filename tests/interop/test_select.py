"""test_select.py - some files of a torrent: from and to libtorrent, with libtorrent as a partial seed and as the judge of one.

shoal fetches what --only names and nothing else is made; libtorrent with file priorities serves what it has; shoal, having
all it wants and not all there is, tells libtorrent so (BEP 21), serves it, and goes on from there. Exits 1 on any failure,
77 where no closed namespace can be had.
"""
import os
import shutil
import subprocess
import sys

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from swarmkit import Libtorrent, Shoal, digests, lt, tree, wait  # noqa: E402

KI = 1024
FILES = {"a/one.bin": 300_001, "a/two.bin": 90_000, "b/three.txt": 70_000, "b/four.bin": 500_123, "empty": 0}


class Case:
    def __init__(self, work, form):
        self.work = os.path.join(work, form)
        self.content = os.path.join(self.work, "source", "content")
        tree(self.content, FILES, 11)
        self.torrent = os.path.join(self.work, "t.torrent")
        subprocess.run([Shoal.program, "create", self.content, "-o", self.torrent, "--format", form, "--piece-size",
                        "64K", "--quiet"], check=True)
        self.source = digests(self.content)
        self.form = form

    def get(self, name, peer, *args):
        work = os.path.join(self.work, "leech")
        os.makedirs(work, exist_ok=True)
        return Shoal(work, "get", self.torrent, "-o", os.path.join(self.work, "copy"), "--listen", "127.0.0.2:7102",
                     "--peer", peer, "--timeout", "40", *args)

    def finish(self, leech, *others):
        wait(lambda: leech.last("complete"), "shoal fetches", leech, *others)
        assert leech.process.wait(10) == 0, f"exit code {leech.process.returncode}"

    def there(self, folder, names):
        got = digests(os.path.join(self.work, folder, "content"))
        assert got == {n: self.source[n] for n in names}, f"{sorted(got)} instead of {sorted(names)}"

    def number(self, name):
        """The file's place in the torrent, as libtorrent counts."""
        files = lt.torrent_info(self.torrent).files()
        return next(i for i in range(files.num_files()) if files.file_path(i).endswith(name) and
                    not files.file_flags(i) & lt.file_storage.flag_pad_file)


def some_and_then_the_rest(case):
    seed = Libtorrent("127.0.0.1", 7101).add(case.torrent, os.path.dirname(case.content))
    try:
        wait(seed.finished, "libtorrent checks its data", seed)
        leech = case.get("leech", "127.0.0.1:7101", "--only", "*.txt", "--only", "/empty")
        case.finish(leech, seed)
        case.there("copy", ["b/three.txt", "empty"])
        assert leech.last("complete")["downloaded"] <= 70_000 + 2 * 64 * KI
        assert leech.last("started")["size"] == 70_000
        leech.stop()
        leech = case.get("leech", "127.0.0.1:7101")
        case.finish(leech, seed)
        case.there("copy", FILES)
        fetched = leech.last("complete")["downloaded"] - leech.last("complete")["wasted"]
        assert fetched <= sum(FILES.values()) - 70_000, f"{fetched} bytes fetched of the rest"
        parts = os.path.join(case.work, "leech", "state", "parts")
        assert not os.path.isdir(parts) or os.listdir(parts) == [], "part data left behind"
        leech.stop()
    finally:
        seed.stop()


def from_a_partial_seed(case):
    """libtorrent has two files of five, and a whole seed comes later."""
    whole = Libtorrent("127.0.0.1", 7101).add(case.torrent, os.path.dirname(case.content))
    partial = Libtorrent("127.0.0.3", 7103)
    leech = None
    try:
        wait(whole.finished, "libtorrent checks its data", whole)
        partial.add(case.torrent, os.path.join(case.work, "partial"))
        wanted = ["a/one.bin", "b/three.txt"]
        keep = {case.number(n) for n in wanted}
        count = lt.torrent_info(case.torrent).files().num_files()
        partial.handle.prioritize_files([4 if i in keep else 0 for i in range(count)])
        partial.handle.connect_peer(("127.0.0.1", 7101))
        wait(partial.finished, "libtorrent fetches two files", partial, whole)
        shutil.rmtree(os.path.join(case.work, "leech"), ignore_errors=True)
        shutil.rmtree(os.path.join(case.work, "copy"), ignore_errors=True)
        leech = case.get("leech", "127.0.0.3:7103", "--only", "one.bin", "--only", "three.txt")
        case.finish(leech, partial)
        case.there("copy", wanted)
    finally:
        if leech:
            leech.stop()
        partial.stop()
        whole.stop()


def a_partial_seed_says_so(case):
    """shoal stays with one file; libtorrent gets that one from it, and sees that it wants nothing."""
    whole = Libtorrent("127.0.0.1", 7101, close_redundant_connections=False).add(case.torrent, os.path.dirname(case.content))
    judge = Libtorrent("127.0.0.4", 7104)
    seed = None
    try:
        wait(whole.finished, "libtorrent checks its data", whole)
        shutil.rmtree(os.path.join(case.work, "leech"), ignore_errors=True)
        shutil.rmtree(os.path.join(case.work, "copy"), ignore_errors=True)
        seed = case.get("leech", "127.0.0.1:7101", "--only", "four.bin", "--seed")
        wait(lambda: seed.last("complete"), "shoal fetches one file", seed, whole)

        def sees():
            return any(p.flags & lt.peer_info.upload_only and not p.flags & lt.peer_info.remote_interested
                       for p in whole.handle.get_peer_info())
        wait(sees, "libtorrent hears that shoal only uploads", seed, whole)
        judge.add(case.torrent, os.path.join(case.work, "judge"))
        count = lt.torrent_info(case.torrent).files().num_files()
        judge.handle.prioritize_files([4 if i == case.number("b/four.bin") else 0 for i in range(count)])
        judge.handle.connect_peer(("127.0.0.2", 7102))
        wait(judge.finished, "libtorrent fetches the file from shoal", judge, seed)
        with open(os.path.join(case.work, "judge", "content", "b/four.bin"), "rb") as got, \
                open(os.path.join(case.content, "b/four.bin"), "rb") as want:
            assert got.read() == want.read(), "the file differs"
    finally:
        if seed:
            assert seed.stop() == 0, "shoal ends badly"
        judge.stop()
        whole.stop()


def main():
    cases = Cases()
    with scratch("select") as work:
        for form in "v1", "v2", "hybrid":
            case = Case(work, form)
            for what in some_and_then_the_rest, from_a_partial_seed, a_partial_seed_says_so:
                cases.run(f"{form} {what.__name__}", what, case)
    sys.exit(cases.end())


main()
