"""test_libtorrent.py - shoal and libtorrent fetch from each other, in every format and shape, both directions.

Each case is one transfer of at most 8 MiB; the one who fetches says by its own event that it is done,
and an independent hash has the last word. Prints a table; exits 1 on any failure, 77 where no
closed namespace can be had.
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
MANY = {"a/big.bin": 3_000_001, "a/b/empty": 0, "a/b/one": 1, "odd \u00fc name": 40_000, "small": 999,
        "exact": 256 * KI, "z/last": 16 * KI + 1}
ONE = 5_000_003


class Case:
    def __init__(self, work, name, maker, shape, magnet=False, private=False):
        self.work = os.path.join(work, name.replace(" ", "_").replace(">", "_"))
        os.makedirs(self.work)
        self.source = os.path.join(self.work, "source")
        os.mkdir(self.source)
        self.content = os.path.join(self.source, "content")
        if shape == "one":
            tree(self.source, {"content": ONE}, 7)
        else:
            tree(self.content, MANY, 8)
        self.torrent = os.path.join(self.work, "t.torrent")
        if maker.startswith("lt:"):
            self.by_libtorrent(maker[3:], private)
        else:
            subprocess.run([Shoal.program, "create", self.content, "-o", self.torrent, "--format", maker[6:],
                            "--piece-size", "64K", "--quiet"] + (["--private"] if private else []), check=True)
        self.link = subprocess.run([Shoal.program, "magnet", self.torrent], check=True, capture_output=True,
                                   text=True).stdout.strip()
        self.magnet = magnet

    def by_libtorrent(self, form, private):
        fs = lt.file_storage()
        lt.add_files(fs, self.content)
        flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[form]
        t = lt.create_torrent(fs, 64 * KI, int(flags))
        t.set_priv(private)
        lt.set_piece_hashes(t, self.source)
        with open(self.torrent, "wb") as f:
            f.write(lt.bencode(t.generate()))

    def what(self):
        return self.link if self.magnet else self.torrent

    def same(self, folder):
        got = digests(os.path.join(folder, "content"))
        got = {k: v for k, v in got.items() if ".pad/" not in k and not k.startswith(".pad")}
        assert got == digests(self.content), f"the copy differs: {sorted(set(got) ^ set(digests(self.content)))}"


def lt_to_shoal(case):
    seed = Libtorrent("127.0.0.1", 7001).add(case.torrent, case.source)
    wait(seed.finished, "libtorrent checks its data", seed)
    leech = Shoal(case.work + "/leech", "get", case.what(), "-o", case.work + "/copy", "--listen", "127.0.0.2:7002",
                  "--peer", "127.0.0.1:7001", "--timeout", "40")
    try:
        wait(lambda: leech.last("complete"), "shoal fetches from libtorrent", leech, seed)
        assert leech.process.wait(10) == 0, f"exit code {leech.process.returncode}"
    finally:
        leech.stop()
        seed.stop()
    case.same(case.work + "/copy")


def shoal_to_lt(case):
    seed = Shoal(case.work + "/seed", "seed", case.torrent, "-d", case.source, "--listen", "127.0.0.1:7001")
    leech = None
    try:
        wait(lambda: seed.last("started"), "shoal is ready to seed", seed)
        leech = Libtorrent("127.0.0.2", 7002).add(case.what(), case.work + "/copy", [("127.0.0.1", 7001)])
        wait(leech.finished, "libtorrent fetches from shoal", leech, seed)
    finally:
        code = seed.stop()
        if leech:
            leech.stop()
    assert code == 0, f"the seed ended with {code}"
    case.same(case.work + "/copy")


def half(case, folder, odd):
    """A copy of which every other piece is zeros: even ones, or odd ones."""
    shutil.copytree(case.source, folder)
    files = lt.torrent_info(case.torrent).files()
    for i in range(files.num_files()):
        path = os.path.join(folder, files.file_path(i))
        if not os.path.exists(path):
            continue  # a pad
        data = bytearray(open(path, "rb").read())
        at, offset = 0, files.file_offset(i)
        while at < len(data):
            piece = (offset + at) // (64 * KI)
            end = min(len(data), (piece + 1) * 64 * KI - offset)
            if piece % 2 == odd:
                data[at:end] = bytes(end - at)
            at = end
        open(path, "wb").write(data)


def half_and_half(case):
    half(case, case.work + "/lt", 0)
    half(case, case.work + "/copy", 1)
    other = Libtorrent("127.0.0.1", 7001).add(case.torrent, case.work + "/lt")
    wait(other.checked, "libtorrent checks its half", other)
    mine = Shoal(case.work + "/mine", "get", case.torrent, "-o", case.work + "/copy", "--listen", "127.0.0.2:7002",
                 "--peer", "127.0.0.1:7001", "--seed")
    try:
        wait(lambda: mine.last("complete"), "shoal completes from a half", mine, other)
        wait(other.finished, "libtorrent completes from a half", other, mine)
    finally:
        mine.stop()
        other.stop()
    case.same(case.work + "/copy")
    case.same(case.work + "/lt")


CASES = [(f"{way} {maker} {shape}{' magnet' if magnet else ''}{' private' if private else ''}",
          {"lt>shoal": lt_to_shoal, "shoal>lt": shoal_to_lt, "half<>half": half_and_half}[way],
          dict(maker=maker, shape=shape, magnet=magnet, private=private))
         for maker in ("lt:v1", "lt:hybrid", "lt:v2", "shoal:v1", "shoal:hybrid", "shoal:v2")
         for shape in ("one", "many")
         for way, magnet, private in (("lt>shoal", False, False), ("shoal>lt", False, False), ("lt>shoal", True, False),
                                      ("shoal>lt", True, False), ("lt>shoal", False, True), ("shoal>lt", False, True),
                                      ("half<>half", False, False))
         if not (private and shape == "one")]


def main():
    cases = Cases()
    with scratch("interop") as work:
        for name, run, how in CASES:
            cases.run(name, lambda: run(Case(work, name, **how)))
    sys.exit(cases.end())


main()
