"""test_serve.py - the adversaries of tools/hostile serve: what each makes of a block, and that they are called as in a scenario."""
import os
import random
import subprocess
import sys
import threading
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.realpath(os.environ.get("SHOAL_TREE") or os.path.join(HERE, "..", ".."))
SHOAL = os.environ.get("SHOAL", "shoal")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(TREE, "tools", "hostilekit"))
import content as contents  # noqa: E402
import scene  # noqa: E402
import serve  # noqa: E402
import swarm  # noqa: E402
for name in sorted(os.listdir(os.path.join(TREE, "tools", "hostilekit"))):
    if name.startswith("cases_"):
        __import__(name[:-3])
from wire import BLOCK, FAST_BIT, REJECT, REQUEST, handshake, message, words  # noqa: E402

DATA = b"\x55" * BLOCK


class Content:
    count = 8

    @staticmethod
    def piece_length(_):
        return 4 * BLOCK


def foe(kind, **of):
    """One without a socket."""
    it = serve.KINDS[kind].__new__(serve.KINDS[kind])
    it.of = {**it.defaults, **of}
    it.dice, it.lock, it.here, it.content = random.Random(1), threading.Lock(), threading.local(), Content
    return it


def false_ones(it, count):
    return [it.answer(k // 4, k % 4 * BLOCK, DATA) != DATA for k in range(count)]


class Serve(unittest.TestCase):
    def test_kinds_and_parameters_are_those_of_scenarios(self):
        text = subprocess.run([SHOAL, "lab", "example", "--adversaries"], capture_output=True, text=True, check=True).stdout
        table = {}
        for line in text.splitlines():
            if line[:1].strip():
                names = table.setdefault(line.split(":")[0], set())
            elif line.strip():
                names.add(line.split()[0])
        for kind, it in serve.KINDS.items():
            self.assertEqual(set(it.defaults), table[kind] - {"view"}, kind)

    def test_a_polluter_spoils_the_share_it_is_told(self):
        self.assertTrue(all(false_ones(foe("polluter"), 100)))
        self.assertFalse(any(false_ones(foe("polluter", rate=0), 100)))
        for burst in (1, 5):
            false = false_ones(foe("polluter", rate=300000, burst=burst), 20000)
            self.assertAlmostEqual(sum(false) / len(false), 0.3, delta=0.03)
        runs = "".join("x" if f else " " for f in false_ones(foe("polluter", rate=10000, burst=5), 20000)[:-5]).split()
        self.assertTrue(runs and all(len(run) % 5 == 0 for run in runs), runs)
        self.assertEqual(false_ones(foe("polluter", last=1), 8), [False, False, False, True] * 2)

    def test_a_slow_loris_is_quick_at_first(self):
        it = foe("slow-loris", quick=3, slow_from=2000000, slow_until=4000000)
        with mock.patch.object(serve.time, "sleep") as sleep:
            for it.here.served in range(1, 6):
                self.assertEqual(it.answer(0, 0, DATA), DATA)
        self.assertEqual(sleep.call_count, 2)
        self.assertTrue(all(2 <= call.args[0] <= 4 for call in sleep.call_args_list))

    def test_a_fake_haver_claims_the_share_it_is_told(self):
        self.assertEqual([foe("fake-haver", claims=c).first() for c in (1000000, 500000, 0)], [0, 4, 8])

    def test_a_fake_haver_gives_nothing(self):
        self.assertIsNone(foe("fake-haver").answer(1, BLOCK, DATA))
        it = foe("fake-haver", answer=1)
        it.here.fast = True
        self.assertEqual(it.answer(1, BLOCK, DATA), [message(REJECT, words(1, BLOCK, BLOCK))])
        garbage = foe("fake-haver", answer=2).answer(1, BLOCK, DATA)
        self.assertTrue(len(garbage) == BLOCK and garbage != DATA)

    def test_nobody_is_rejected_who_does_not_know_the_word(self):
        """BEP 6: a REJECT is for those alone who claimed the fast extension."""
        it, said = foe("fake-haver", answer=1), []
        it.asked, it.content, it.delay, it.hooks = [], mock.Mock(v2=False, block=lambda *of: DATA), 0, {"block": None}
        for fast in (0, FAST_BIT[1]):
            hello = bytearray(handshake(bytes(20), bytes(20), ()))
            hello[20 + FAST_BIT[0]] |= fast
            it._answer(mock.Mock(hello=bytes(hello), raw=said.append), REQUEST, words(1, BLOCK, BLOCK))
        self.assertEqual(said, [message(REJECT, words(1, BLOCK, BLOCK))])

    def test_a_traitor_is_good_until_it_is_not(self):
        self.assertEqual(false_ones(foe("traitor", good=3, bad=2, rate=1000000), 10), [False, False, False, True, True] * 2)
        false = false_ones(foe("traitor", good=1, bad=9, rate=500000), 10000)
        self.assertAlmostEqual(sum(false) / len(false), 0.45, delta=0.03)
        self.assertFalse(any(false[::10]))


class Absent:
    """A seeder without a socket."""
    peer_id = b"-HO0001-............"

    def __init__(self, content, host, port, **hooks):
        self.port, self.hooks, self.asked = port, hooks, []

    def stop(self):
        pass


class Cases(unittest.TestCase):
    """tools/hostile play: which of the cases can be a node of a swarm."""

    def setUp(self):
        self.content = contents.make("hybrid")
        self.case = {c.id: c for c in scene.CASES}
        self.enterContext(mock.patch.object(swarm, "Seeder", Absent))

    def served(self, id):
        swarm.playable(self.case[id], self.content)
        return swarm.Server(self.case[id], self.content, ("10.77.0.5", 6881), None).stage.seeders

    def test_one_that_serves_falsely_is_the_node_itself(self):
        first, *more = self.served("W10e")
        self.assertEqual((first.port, more), (6881, []))
        self.assertNotEqual(first.hooks["block"](0, 0, DATA), DATA)
        # Where a case has several liars, the others are only spoken of.
        self.assertEqual([s.port for s in self.served("W11a")], [6881, None, None])

    def test_what_needs_more_than_a_swarm_is_refused(self):
        for id in ("D01a", "M03a", "V01b", "W16m"):
            with self.assertRaises(swarm.Unplayable, msg=id):
                self.served(id)
        with self.assertRaises(swarm.Unplayable):
            swarm.playable(self.case["V02n"], contents.make("v1"))

    def test_one_that_attacks_is_played_until_it_is_told_to_end(self):
        stopped, seen = threading.Event(), []

        def run(stage):
            seen.append((stage.target, stage.source()))
            if len(seen) == 3:
                stopped.set()
            self.assertEqual(stage.honest(), 0)
            if len(seen) == 2:
                raise swarm.Unexpected("another taste")
            return stage.program

        case = mock.Mock(id="X", run=run)
        with mock.patch.object(swarm, "PAUSE", 0), mock.patch.object(swarm.sys, "stderr") as log:
            swarm.attack(case, self.content, ("10.77.0.5", 6881), ("10.77.0.1", 6881), stopped)
        self.assertEqual(seen, [(("10.77.0.1", 6881), None)] * 3)
        said = "".join(call.args[0] for call in log.write.call_args_list)
        self.assertEqual(said.splitlines(), ["X against 10.77.0.1: done", "X against 10.77.0.1: otherwise: another taste",
                                             "X against 10.77.0.1: done"])


if __name__ == "__main__":
    unittest.main()
