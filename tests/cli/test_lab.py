"""test_lab.py - shoal lab as its user meets it: the first scenario, wrong files, verdicts, the same run twice."""
import json
import os
import re
import resource
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as xml

SHOAL = os.environ["SHOAL"]
SMALL = """name: small
summary: a seed and four leeches
content: { size: 1M, piece: 64K }
nodes:
  - { name: seed, has: all, up: 8Mbit }
  - { name: leeches, count: 4, up: 4Mbit, down: 40Mbit }
"""


class Lab(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def put(self, text, name="small.yaml"):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def lab(self, *words, code=0):
        done = subprocess.run([SHOAL, "lab", *words], capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def events(self, *words, code=0):
        return [json.loads(line) for line in self.lab(*words, "--json", code=code).stdout.splitlines()]

    def digest(self, *words):
        return next(e["digest"] for e in self.events("run", *words) if e["event"] == "run")

    def test_a_newcomers_first_scenario(self):
        text = self.lab("example").stdout
        self.assertLessEqual(text.count("\n"), 20)
        path = self.put(text)
        done = self.lab("run", path, "--svg", path + ".svg", "--trace", path + ".trace")
        self.assertIn("fluid bound", done.stdout)
        self.assertIn("who served whom", done.stdout)
        self.assertNotIn("MISSED", done.stdout)
        self.assertEqual(xml.parse(path + ".svg").getroot().tag, "{http://www.w3.org/2000/svg}svg")
        with open(path + ".trace", encoding="utf-8") as file:
            trace = [json.loads(line) for line in file]
        # Each of 20 leeches completed; three were killed, and came back.
        self.assertEqual(sum(e["event"] == "complete" for e in trace if 1 <= e["node"] <= 20) >= 20, True)
        self.assertEqual(sum(e.get("text") == "is killed" for e in trace), 3)
        self.assertEqual(sum(e.get("text") == "starts" for e in trace), 22 + 3)

    def test_a_run_that_takes_no_time_has_a_picture_too(self):
        """Nobody wants anything, so that it is over at once: an axis of no length has one mark, and not marks without end."""
        path = self.put("name: x\nsummary: y\ncontent: { size: 1M }\nnodes: [{ name: a, has: all }]\n")
        done = subprocess.run([SHOAL, "lab", "run", path, "--svg", path + ".svg", "--quiet"], capture_output=True, timeout=60,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)), check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(xml.parse(path + ".svg").getroot().tag, "{http://www.w3.org/2000/svg}svg")

    def test_events_have_what_a_program_needs(self):
        events = self.events("run", self.put(SMALL + "must_hold: [tmax <= 1h]\n"))
        run = next(e for e in events if e["event"] == "run")
        self.assertEqual((run["nodes"], run["in_time"], run["wrong"], run["completed"]), (5, True, None, 1))
        self.assertTrue(run["bound"] <= run["t50"] <= run["t95"] <= run["tmax"])
        seed, leeches = (e for e in events if e["event"] == "group")
        self.assertEqual(seed["served"]["leeches"] + leeches["served"]["leeches"], leeches["downloaded"])
        self.assertGreaterEqual(leeches["downloaded"], 4 << 20)
        self.assertEqual(sum(e["event"] == "node" for e in events), 5)
        points = [e for e in events if e["event"] == "point"]
        self.assertEqual((points[0]["have"], points[-1]["have"], points[-1]["copies_least"]), (0, 1, 5))
        self.assertEqual([e["verdict"] for e in events if e["event"] == "hold"], ["held"])

    def test_who_is_started_by_an_event_alone_keeps_no_run_open(self):
        run = self.events("run", self.put(SMALL + "  - { name: late, join: never }\nlimit: 100s\n"
                                          "events: [{ at: 500ms, kind: start, who: late }]\n"))[0]
        self.assertEqual((run["in_time"], run["completed"], run["end"] < 20), (True, 1, True))

    def test_who_is_told_to_go_before_it_came_keeps_no_run_open(self):
        events = self.events("run", self.put(SMALL + "  - { name: gone, join: 2s }\nlimit: 100s\n"
                                             "events: [{ at: 1s, kind: stop, who: gone }]\n"))
        self.assertEqual((events[0]["in_time"], events[0]["completed"], events[0]["end"] < 20), (True, 1, True))
        gone = [e for e in events if e["event"] == "node"][-1]
        self.assertEqual((gone["joined"], gone["complete"]), (None, None))

    def test_who_was_stopped_comes_back_and_is_waited_for(self):
        """By an event of its own, or when its `for` is over; also one that is not quite gone yet, or had not come."""
        events = self.events("run", self.put(SMALL + """  - { name: late, join: 90s }
limit: 100s
events:
  - { at: 200ms, kind: stop, who: "leeches[0]" }
  - { at: 900ms, kind: start, who: "leeches[0]" }
  - { at: 200ms, kind: stop, who: "leeches[1]", for: 3s }
  - { at: 200ms, kind: stop, who: "leeches[2]" }
  - { at: 201ms, kind: start, who: "leeches[2]" }
  - { at: 100ms, kind: stop, who: late }
  - { at: 500ms, kind: start, who: late }
"""))
        nodes = [e for e in events if e["event"] == "node"]
        self.assertEqual([(n["starts"], n["left"]) for n in nodes], [(1, None)] + 3 * [(2, None)] + 2 * [(1, None)])
        self.assertEqual((events[0]["in_time"], events[0]["completed"], events[0]["end"] < 20), (True, 1, True))
        self.assertEqual((nodes[2]["complete"] > 3.2, nodes[5]["joined"]), (True, 0.5))

    def test_one_seed_is_one_run(self):
        path = self.put(SMALL)
        first = self.digest(path, "--seed", "7")
        self.assertEqual(self.digest(path, "--seed", "7"), first)
        self.assertNotEqual(self.digest(path, "--seed", "8"), first)
        self.assertNotEqual(self.digest(path, "--seed", "7", "--policy", "off"), first)
        self.assertNotEqual(self.digest(path, "--seed", "7", "--set", "without=hedge"), first)
        # Who watches, and what is written about it, changes nothing.
        self.assertEqual(self.digest(path, "--seed", "7", "--trace", path + ".t", "--svg", path + ".svg"), first)
        held = self.events("check", self.put(SMALL + "must_hold: [always same_twice == 1]\n"), "--seeds", "1..3")
        self.assertEqual([e["verdict"] for e in held], ["held", "held"])

    def test_what_happens_over_time(self):
        """Each kind of event leaves its mark, and everybody gets there in the end."""
        path = self.put(SMALL.replace("count: 4", "count: 8") + """events:
  - { at: 200ms, kind: cut, who: 2 of leeches, for: 1s }
  - { at: 300ms, kind: split, who: 50% of leeches, for: 500ms }
  - { at: 400ms, kind: reset, who: seed }
  - { at: 25%, kind: crash, who: "leeches[3]", how: power, for: 1s }
  - { at: 500ms, kind: full_disk, who: "leeches[4]", room: 100K, for: 2s }
  - { at: 500ms, kind: line, who: "leeches[5]", up: 1Mbit, down: 8Mbit }
  - { at: 1s, kind: crash, who: "leeches[6]", for: 200ms, every: 1s, times: 2 }
  - { at: 1500ms, kind: stop, who: "leeches[7]" }
must_hold: [always completed == 100%, always rules_broken == 0]
""")
        events = self.events("run", path, "--trace", path + ".trace")
        with open(path + ".trace", encoding="utf-8") as file:
            told = [(e["node"], e["text"]) for e in map(json.loads, file) if e["event"] == "happens"]
        for node, text in ((4, "loses power"), (5, "full_disk"), (5, "is over it"), (6, "line"), (7, "is killed"),
                           (8, "is told to stop"), (0, "reset")):
            self.assertIn((node, text), told)
        self.assertEqual(told.count((7, "is killed")), 2)
        self.assertEqual(sum(text == "cut" for _, text in told), 2)
        self.assertEqual(sum(text == "split" for _, text in told), 4)
        self.assertEqual([e["verdict"] for e in events if e["event"] == "hold"], ["held", "held"])
        nodes = [e for e in events if e["event"] == "node"]
        self.assertIsNotNone(nodes[8]["left"])
        self.assertTrue(all(e["complete"] is not None for e in nodes[:8]))

    def test_comers_and_goers(self):
        path = self.put(SMALL.replace("down: 40Mbit", "down: 40Mbit, join: every(1s), life: 3s, leave: 0s"))
        nodes = [e for e in self.events("run", path) if e["event"] == "node"][1:]
        self.assertEqual([round(e["joined"]) for e in nodes], [0, 1, 2, 3])
        last = max(e["complete"] or 0 for e in nodes)
        for e in nodes:
            if e["complete"] == last:  # with its end the run is over
                continue
            self.assertAlmostEqual(e["left"], min(e["complete"] or 1e9, e["joined"] + 3), places=3)

    def test_what_one_node_decided(self):
        """The same run with a node recorded and without; shoal explain reads what it decided, and why it banned the liar."""
        path = self.put(self.lab("example").stdout.replace("  - { at: 50%, kind: crash, who: 3 of leeches, for: 2s }\n", "")
                        .replace("events:\n", ""))
        record = path + ".flight"
        self.assertEqual(self.digest(path, "--record", "leeches.3:" + record), self.digest(path))
        done = subprocess.run([SHOAL, "explain", record, "--json"], capture_output=True, text=True, timeout=60, check=True)
        (whole,) = [json.loads(line) for line in done.stdout.splitlines()]
        (torrent,) = whole["torrents"]
        self.assertEqual((torrent["good"], torrent["waits"], whole["ended"]), (128, "for nothing", True))
        self.assertEqual({p["peer"].split(":")[0] for p in whole["peers"] if p["verdict"] == "banned"}, {"10.0.0.22"})
        done = subprocess.run([SHOAL, "explain", record], capture_output=True, text=True, timeout=60, check=True)
        self.assertIn("of virtual time", done.stdout)

    def test_a_wrong_file(self):
        path = self.put(SMALL.replace("count: 4", "cuont: 4"))
        for command in "run", "check", "list":
            done = self.lab(command, path, code=3)
            self.assertIn(f"{path}:6:22: unknown field 'cuont'; here belong: name, count, has", done.stderr)
        done = self.lab("run", self.put(SMALL.replace("8Mbit", "fast")), code=3)
        self.assertIn(":5:33: 'fast': expected a rate", done.stderr)
        self.lab("run", os.path.join(self.folder.name, "none.yaml"), code=3)
        self.lab("run", "S", code=3)
        self.assertIn("error", [e["event"] for e in self.events("run", path, code=3)])
        # Bytes of a stranger's file do not reach the terminal as they are.
        done = self.lab("run", self.put(SMALL + '"a\\u001b[31mb": 1\n'), code=3)
        self.assertNotIn("\x1b", done.stderr)

    def test_usage(self):
        path = self.put(SMALL)
        self.assertIn("run", self.lab("--help").stdout)
        for words in ([], ["frobnicate"], ["run"], ["run", path, path], ["run", path, "--seed", "x"],
                      ["run", path, "--policy", "best"], ["replay", path], ["replay", path, "1@0"], ["compare"],
                      ["check", path, "--seeds", "9..1"]):
            self.lab(*words, code=2)
        for command in "run", "check", "replay", "list", "example":
            page = self.lab(command, "--help").stdout
            self.assertIn("usage: shoal lab " + command, page)
            # Under each heading stands something; `list` has no options of its own.
            self.assertNotRegex(page, r"(?m)^\S.*:\n(\n|\Z)")
            self.assertEqual("\noptions:\n" in page, command != "list")
        for kind in "--fields", "--adversaries", "--metrics":
            self.assertGreater(self.lab("example", kind).stdout.count("\n"), 8)

    def test_options_of_the_other_world(self):
        path = self.put(SMALL)
        for words, said in ((("run", "--real", "--policy", "off"), "--policy is of runs in virtual time"),
                            (("run", "--real", "--record", "0:x"), "--record is of runs in virtual time"),
                            (("check", "--real", "--real-bytes"), "--real-bytes is of runs in virtual time"),
                            (("check", "--keep"), "--scratch and --keep are of --real"),
                            (("run", "--scratch", "/"), "--scratch and --keep are of --real"),
                            (("run", "--beside"), "--beside is of --real")):
            self.assertIn(said, self.lab(*words, path, code=2).stderr)

    def test_what_must_hold_and_does_not(self):
        path = self.put(SMALL + "must_hold:\n  - tmax / bound <= 0.5\n  - always completed == 100%\n")
        done = self.lab("check", path, "--seeds", "1..2", code=1)
        self.assertRegex(done.stdout, r"MISSED  tmax / bound <= 0.5 .* <= 0.5  margin -\d")
        self.assertIn("held    always completed == 100%", done.stdout)
        quiet = self.lab("check", path, "--seeds", "1..2", "--quiet", code=1).stdout
        self.assertRegex(quiet, r"MISSED  tmax / bound <= 0.5 .*\n.*held    always completed == 100%.*\n\n0 held, 1 missed")
        self.assertNotIn("again:", quiet)
        again = re.search(r"again: shoal lab replay (\S+) (\d+)@(\d+)", done.stdout)
        self.assertIsNotNone(again)
        replayed = self.lab("replay", again.group(1), f"{again.group(2)}@{again.group(3)}").stdout
        self.assertIn(f"step {again.group(3)}, ", replayed)
        self.assertEqual(replayed.count("complete"), 5 + replayed.split("before:")[1].count("complete"))
        half = self.lab("replay", path, f"1@{int(again.group(3)) // 2}").stdout
        self.assertIn("running", half)
        self.lab("run", path, code=1)

    def test_what_cannot_run_yet_is_never_held(self):
        path = self.put(SMALL + "needs: [teleportation]\nmust_hold: [tmax <= 1h]\n")
        done = self.lab("check", path, code=2)
        self.assertIn("not yet runnable, needs: teleportation", done.stdout)
        self.assertIn("0 held, 0 missed, 0 held as far as can be told, 1 not yet runnable", done.stdout)
        self.assertEqual([e["verdict"] for e in self.events("check", path, code=2)], ["not_runnable"])
        self.assertIn("needs: teleportation", self.lab("run", path, code=2).stderr)
        # What is there with --real is not said to be built some day.
        node = "  - { name: other, kind: command, command: ./mine, count: 1 }\n"
        path = self.put(SMALL.replace("nodes:\n", "nodes:\n" + node) + "must_hold: [tmax <= 1h]\n")
        done = self.lab("check", path, code=2)
        self.assertIn("needs --real (nodes of the kind command)", done.stdout)
        self.assertIn("0 not yet runnable, 1 for --real", done.stdout)
        self.assertIn(": needs --real (nodes of the kind command)", self.lab("run", path, code=2).stderr)
        self.assertNotIn("yet", self.lab("list", path).stdout)
        # A line that the lab cannot tell yet keeps its scenario from being held.
        path = self.put(SMALL + "must_hold: [tmax <= 1h, always lost == 0]\n")
        done = self.lab("check", path)
        self.assertRegex(done.stdout, r"open +always lost == 0 +needs: replicas")
        self.assertIn("0 held, 0 missed, 1 held as far as can be told", done.stdout)

    def test_small_swarms_hold(self):
        """Clean, with liars, with everything at once, with a slow seed: limits that guard what there is."""
        done = self.lab("check", os.path.join(os.environ["SHOAL_TREE"], "tests", "data", "lab"))
        self.assertIn("4 held, 0 missed, 0 held as far as can be told, 0 not yet runnable", done.stdout)

    def test_a_line_is_filled_by_one_stream(self):
        """A block takes as long as a round trip here: no idleness, and no reason to start slowly anew each time."""
        path = self.put(SMALL.replace("count: 4", "count: 1").replace("up: 8Mbit", "up: 1280kbit, rtt: 100ms") +
                        "must_hold: [tmax / bound <= 1.25]\n")
        self.lab("check", path, "--seeds", "1..1")

    def test_all_bytes_or_their_heads(self):
        path = self.put(SMALL + "  - { name: liar, has: all, up: 4Mbit, adversary: { kind: polluter } }\n")
        self.assertEqual(self.digest(path, "--real-bytes"), self.digest(path))

    def test_the_shipped_ones(self):
        listed = {e["scenario"]: e for e in self.events("list")}
        self.assertGreaterEqual(len(listed), 18)
        for name in "S1-clean", "S9-churn", "S10-slow-seed", "S11-flash-crowd", "S12-mixed-lines", "S18-alive":
            self.assertIn(name, listed)
        self.assertFalse(listed["S17-replicas"]["runnable"])


unittest.main()
