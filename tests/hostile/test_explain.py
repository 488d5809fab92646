"""test_explain.py - shoal explain on real transfers: a polluter, somebody who never answers, honest seeds; what it says is what was done.

In a closed network namespace. With --show it prints the answers. Exits 1 when one is wrong, 77 where no namespace can be had.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(HERE, "..", "..", "tools")
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import closed  # noqa: E402

closed.enter()
sys.path.insert(0, os.path.join(TOOLS, "hostilekit"))

import content as contents  # noqa: E402
from target import PORT, Seeder, Start  # noqa: E402
from wire import BLOCK  # noqa: E402

SHOAL = os.path.abspath(os.environ.get("SHOAL", "shoal"))
WHY_SOLE = 5  # enum shoal_rep_why: its leaf hashes did not come in time
SHOW = "--show" in sys.argv


def spoil(data):
    return data[:-1] + bytes([data[-1] ^ 1])


class Play(unittest.TestCase):
    """One transfer, recorded; then questions."""

    def setUp(self):
        self.work = tempfile.mkdtemp(prefix="shoal-explain-")
        self.seeders = []

    def tearDown(self):
        for s in self.seeders:
            s.stop()
        shutil.rmtree(self.work)

    def fetch(self, form, number, size=2_000_000, within=60):
        """Node: liar 0 spoils its first blocks, 1 never answers; two honest ones, slow enough for all to be asked."""
        self.content = contents.make(form, size, 1 << 16)
        self.start = Start(SHOAL, self.work, number)
        self.spoiled = []

        def lie(piece, begin, data):
            if begin != BLOCK:
                return data
            self.spoiled.append(piece)
            return spoil(data)
        self.liar = self.seeder(self.start.hostile(0), block=lie)
        self.mute = self.seeder(self.start.hostile(1), block=lambda piece, begin, data: None)
        self.honest = [self.seeder(self.start.honest(k), delay=0.02) for k in range(2)]
        self.record = os.path.join(self.work, "flight")
        torrent, _ = self.content.save(self.start.work)
        program = self.start.get(torrent, [(s.address, PORT) for s in self.seeders], "--record", self.record)
        self.assertIsNotNone(program.wait("complete", within), program.said())
        self.assertEqual(program.process.wait(20), 0)
        self.events = program.events()

    def seeder(self, address, **hooks):
        s = Seeder(self.content, address, **hooks)
        self.seeders.append(s)
        return s

    def explain(self, *args, code=0):
        done = subprocess.run([SHOAL, "explain", self.record, *args], capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, code, (args, done.stdout[-500:], done.stderr[-500:]))
        if SHOW and "--json" not in args:
            print("$ shoal explain get.flight", *args)
            print(done.stdout.decode())
        return done.stdout.decode()

    def records(self, *args):
        return [json.loads(line) for line in self.explain(*args, "--json").splitlines()]

    def test_v2(self):
        self.fetch("v2", 1)
        liar = f"{self.liar.address}:{PORT}"
        mute = f"{self.mute.address}:{PORT}"
        (ban,) = [e for e in self.events if e["event"] == "peer_banned"]
        self.assertEqual(ban["addr"], liar)
        self.assertIn(ban["false_blocks"], (2, 3))  # in short order, or nearly
        self.assertGreaterEqual(ban["blocks"], 2)

        text = self.explain()
        self.assertIn("1 banned", text)
        self.assertRegex(text, rf"{liar} .*banned")
        (whole,) = self.records()
        rows = {p["peer"]: p for p in whole["peers"]}
        self.assertEqual(rows[liar]["verdict"], "banned")
        self.assertEqual(rows[mute]["blocks"], 0)
        self.assertEqual(sum(p["blocks"] for p in rows.values()), (len(self.content.data) + BLOCK - 1) // BLOCK)
        for s in self.honest:
            self.assertEqual(rows[f"{s.address}:{PORT}"]["verdict"], "gave")

        # Why is it banned? With the blocks that it did spoil, and no others.
        text = " ".join(self.explain("--peer", self.liar.address).split())
        self.assertIn(f"{liar} is banned for 1 h 00 min: sent ", text)
        falses = [r for r in self.records("--time", "0..", "--peer", liar) if r["event"] == "false"]
        self.assertGreaterEqual(len(falses), 2)
        for r in falses:
            self.assertIn(r["piece"], self.spoiled)
            if r["terms"]["why"] == WHY_SOLE:
                self.assertIn(f"it had sent all of the piece, which is false; that makes {r['terms']['false_blocks']} ", r["says"])
            else:
                self.assertEqual(r["terms"]["block"], 1)
                self.assertIn(f"false block 1 of piece {r['piece']}: ", r["says"])

        # Who was asked for a piece that it spoiled, and why?
        text = " ".join(self.explain("--piece", str(falses[0]["piece"])).split())
        self.assertIn(falses[0]["says"], text)
        self.assertIn("came good at", text)
        self.assertIn(f"is asked of {liar}:", text)

        # And somebody who has it all: why not that one?
        asked = {r["piece"] for r in self.records("--time", "0..", "--peer", self.honest[0].address) if r["event"] == "ask"}
        others = [r["piece"] for r in self.records("--time", "0..", "--peer", self.honest[0].address)
                  if r["event"] == "not" and r["piece"] not in asked]
        self.assertTrue(others)
        text = " ".join(self.explain("--piece", str(others[0]), "--peer", self.honest[0].address).split())
        self.assertIn("why it was not, when another was:", text)

        # What somebody owes who never answers is asked of others too, at the end or once it counts as stalling.
        late = [r for r in self.records("--time", "0..", "--peer", mute) if r["event"] in ("twice", "stall")]
        self.assertTrue(late)
        for r in (r for r in late if r["event"] == "twice"):
            self.assertIn(f"is asked of {r['peer']} as well: {mute} was asked", r["says"])
            self.assertNotEqual(r["peer"], mute)

        self.explain("--peer", "192.0.2.1", code=1)
        self.explain("--piece", "999999", code=1)
        self.assertEqual(os.stat(self.record).st_mode & 0o777, 0o600)

    def test_v1(self):
        self.fetch("v1", 2)
        liar = f"{self.liar.address}:{PORT}"
        text = " ".join(self.explain("--peer", liar).split())
        self.assertIn(f"{liar} is banned for", text)
        banned = [p["peer"] for p in self.records()[0]["peers"] if p["verdict"] == "banned"]
        self.assertEqual(banned, [liar])
        bad = [r for r in self.records("--time", "0..") if r["event"] == "bad"]
        self.assertTrue(bad)
        self.assertTrue(all(r["piece"] in self.spoiled for r in bad))

    def test_what_it_waits_for(self):
        """Nobody is there but one who never answers: that is what it waits for."""
        self.content = contents.make("v2", 500_000, 1 << 16)
        self.start = Start(SHOAL, self.work, 4)
        mute = self.seeder(self.start.hostile(0), block=lambda piece, begin, data: None)
        self.record = os.path.join(self.work, "flight")
        torrent, _ = self.content.save(self.start.work)
        program = self.start.get(torrent, [(mute.address, PORT)], "--record", self.record, "--timeout", "6")
        self.assertEqual(program.process.wait(30), 1)
        self.assertIn("it waited for blocks that were asked for and do not come", self.explain())
        waits = [r for r in self.records("--time", "0..") if r["event"] == "wait"]
        self.assertTrue(waits)
        text = " ".join(self.explain("--piece", str(waits[-1]["piece"])).split())
        self.assertIn(f"piece {waits[-1]['piece']} did not come good while this was recorded", text)
        self.assertIn(f"blocks are missing; {mute.address}:{PORT} was asked for one of them ", text)

    def test_a_file_of_another_kind_is_left_alone(self):
        path = os.path.join(self.work, "mine")
        with open(path, "wb") as f:
            f.write(b"precious")
        self.content = contents.make("v1", 100_000, 1 << 16)
        start = Start(SHOAL, self.work, 3)
        torrent, _ = self.content.save(start.work)
        for args, code in ((["--record", path], 4), (["--record", os.path.join(self.work, "no", "folder")], 4),
                           (["--record", os.path.join(self.work, "new"), "--engine", "libtorrent"], 2)):
            done = subprocess.run([SHOAL, "get", torrent, "-o", self.work, *start.common(), *args], capture_output=True,
                                  timeout=60, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(b"--record", done.stderr)
        with open(path, "rb") as f:
            self.assertEqual(f.read(), b"precious")
        self.record = path
        self.explain(code=3)
        self.record = os.path.join(self.work, "nothing")
        self.explain(code=4)


if __name__ == "__main__":
    unittest.main(argv=[a for a in sys.argv if a != "--show"])
