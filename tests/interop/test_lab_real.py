"""test_lab_real.py - shoal lab run, check --real and calibrate: real processes of several programs on made lines, and nothing left of them.

The closed place is made by the program itself: nothing here needs a namespace, but to know whether there are any.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SHOAL = os.environ.get("SHOAL", "shoal")
LONG = os.environ.get("SHOAL_LONG") == "1"
HEAD = "name: small\nsummary: of real processes\nlimit: 100s\n"
ALL = "must_hold: [always completed == 100%, always false_bans == 0]\n"


def slow():
    """A sanitized build, or a host with much else to do: nothing is as fast as its line."""
    return os.environ.get("SHOAL_SHORT") == "1" or os.getloadavg()[0] > 4 * (os.cpu_count() or 1)


RUN, CHECK, CALIBRATE = ("run", "--real"), ("check", "--real"), ("calibrate", "--seeds", "1..1")


def lab(path, *words, verb=RUN, timeout=110):
    return subprocess.run([SHOAL, "lab", *verb, path, *words], capture_output=True, text=True, timeout=timeout, check=False)


class Real(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.scratch = os.path.join(self.folder.name, "scratch")
        os.mkdir(self.scratch)

    def put(self, text):
        path = os.path.join(self.folder.name, "small.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def left(self):
        """Processes that are in the scratch folder, and what is in it."""
        there = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd").startswith(self.scratch):
                    there.append(pid)
            except OSError:
                continue
        return there + os.listdir(self.scratch)

    def nothing_is_left(self):
        end = time.monotonic() + 10
        while self.left() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.left(), [])

    def run_all(self, text, *words, code=0, verb=RUN):
        done = lab(self.put(text), "--json", "--scratch", self.scratch, *words, verb=verb)
        self.assertEqual(done.returncode, code, done.stdout[-3000:] + done.stderr)
        self.nothing_is_left()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_several_programs_a_liar_and_what_happens_to_them(self):
        others = [("aria", "aria2", "aria2c"), ("rt", "rtorrent", "rtorrent")]
        others += [("trans", "transmission", "transmission-daemon")] if LONG else []
        rows = "".join(f"  - {{ name: {name}, kind: {kind}, up: 20Mbit }}\n" for name, kind, program in others
                       if shutil.which(program))
        if os.path.exists(os.path.join(os.path.dirname(SHOAL), "shoal-lt")):
            rows += "  - { name: lt, kind: libtorrent, up: 20Mbit }\n"
        # A client that the lab does not know, and that goes when it is done: this one will do.
        own = (f'{SHOAL} get \\"$LAB_TORRENT\\" -o \\"$LAB_DATA\\" --listen $LAB_ADDRESS:$LAB_PORT --state state --no-dht '
               '--no-lsd --no-portmap --json >\\"$LAB_SAID\\"')
        rows += f'  - {{ name: own, kind: command, up: 20Mbit, command: "{own}" }}\n'
        events = self.run_all(
            HEAD + "content: { size: 4M, piece: 64K, format: v1 }\nnodes:\n"
            "  - { name: seed, has: all, up: 16Mbit, rtt: 30ms }\n"
            '  - { name: leeches, count: 3, up: 16Mbit, down: 100Mbit, rtt: "uniform(10ms, 60ms)", jitter: 2ms, loss: 0.1% }\n'
            "  - { name: liar, has: all, up: 16Mbit, adversary: { kind: polluter, rate: 50% } }\n"
            "  - { name: half, has: 50%, up: 16Mbit }\n"
            "  - { name: rider, up: 16Mbit, adversary: { kind: free-rider } }\n" + rows +
            "events:\n"
            '  - { at: 20%, kind: crash, who: "leeches[0]", for: 500ms }\n'
            '  - { at: 30%, kind: pause, who: "leeches[1]", for: 1s }\n'
            '  - { at: 30%, kind: cut, who: "leeches[2]", for: 1s }\n'
            'must_hold: [always completed == 100%, always false_bans == 0, "always uploaded[liar] >= 16K", idle <= 9s]\n')
        run = next(e for e in events if e["event"] == "run")
        nodes = [e for e in events if e["event"] == "node"]
        self.assertEqual((run["real"], run["in_time"], run["wrong"], run["completed"]), (True, True, None, 1))
        self.assertTrue(run["bound"] < run["tmax"])
        self.assertIsNone(run["idle"])
        self.assertEqual([e["verdict"] for e in events if e["event"] == "hold"], ["held", "held", "held", "open"])
        crashed = next(n for n in nodes if n["group"] == "leeches")
        self.assertEqual(crashed["starts"], 2)
        for n in nodes:
            self.assertTrue(n["rss"] > 1 << 20 and n["cpu"] > 0, n)
            self.assertTrue(n["complete"] is not None or n["group"] == "rider", n)
            if n["group"] not in ("seed", "liar", "rider", "half"):
                self.assertTrue(n["down"] >= 3.9 * (1 << 20), n)
        of = {n["group"]: n for n in nodes}
        self.assertTrue(1.9 * (1 << 20) < of["half"]["down"] < 3.2 * (1 << 20), of["half"])
        self.assertTrue(of["rider"]["up"] < 200000 < of["rider"]["down"], of["rider"])
        self.assertEqual(next(n for n in nodes if n["group"] == "liar")["program"], "polluter")
        points = [e for e in events if e["event"] == "point"]
        self.assertEqual(points[-1]["have"], 1)

    def test_lines_are_as_slow_as_they_are_said_to_be(self):
        # 1 MiB through a line of 4 Mbit/s takes 2.1 s and the headers; then 40 Mbit/s, for half of it.
        events = self.run_all(HEAD + "content: { size: 1M, piece: 16K }\nnodes:\n"
                              "  - { name: seed, has: all, up: 4Mbit }\n  - { name: leech }\n" + ALL, "--beside")
        beside = next(e for e in events if e["event"] == "beside")
        self.assertEqual((beside["group"], beside["tmax"]["real"] > 2.1, slow() or abs(beside["tmax"]["off"]) < 0.4),
                         ("leech", True, True), beside)
        took = next(e for e in events if e["event"] == "run")["tmax"]
        self.assertTrue(2.1 < took and (slow() or took < 4), took)
        events = self.run_all(HEAD + "content: { size: 1M, piece: 16K }\nnodes:\n"
                              "  - { name: seed, has: all, up: 4Mbit }\n  - { name: leech, join: 500ms }\n"
                              "events:\n  - { at: 50%, kind: line, who: seed, up: 40Mbit }\n" + ALL)
        second = next(e for e in events if e["event"] == "run")["tmax"]
        self.assertTrue(1.0 < second and (slow() or second < took), second)

    def test_who_leaves_and_who_is_late(self):
        # (A group may be called as the lab calls a thing of its own.)
        events = self.run_all(HEAD + "content: { size: 1M, piece: 64K }\nnodes:\n"
                              "  - { name: whole, has: all, up: 8Mbit }\n"
                              "  - { name: early, count: 2, leave: 0s }\n"
                              "  - { name: late, join: 1500ms }\n"
                              "  - { name: hasty, join: 0s, life: 300ms, down: 64kbit }\n"
                              "  - { name: never, join: never }\n"
                              "  - { name: mine, has: 50%, life: 500ms, kind: command,"
                              " command: '[ $LAB_HAS = some ] && exec sleep 60' }\n"
                              "  - { name: gone, join: 1s }\n"
                              "  - { name: back, count: 2, down: 2Mbit }\n"
                              "events:\n  - { at: 1s, kind: start, who: never }\n"
                              "  - { at: 300ms, kind: stop, who: gone }\n"
                              "  - { at: 700ms, kind: stop, who: 'back[0]' }\n"
                              "  - { at: 710ms, kind: start, who: 'back[0]' }\n"
                              "  - { at: 700ms, kind: stop, who: 'back[1]', for: 1s }\n"
                              "must_hold: [always completed == 100%]\n")
        # Nobody waits for one that was told to go before it came.
        self.assertTrue(next(e for e in events if e["event"] == "run")["in_time"])
        nodes = {e["group"]: e for e in events if e["event"] == "node"}
        self.assertEqual((nodes["gone"]["joined"], nodes["gone"]["starts"]), (None, 0))
        # But for who comes back; also for one that is called while it is on its way out.
        back = [e for e in events if e["event"] == "node" and e["group"] == "back"]
        self.assertEqual([(n["starts"], n["left"], n["complete"] is not None) for n in back], 2 * [(2, None, True)])
        self.assertTrue(1.4 < nodes["late"]["joined"] < 20)
        self.assertTrue(0.9 < nodes["never"]["joined"] < 20)
        self.assertIsNotNone(nodes["early"]["left"])
        self.assertIsNone(nodes["hasty"]["complete"])
        self.assertIsNotNone(nodes["hasty"]["left"])

    def test_a_return_does_not_wake_who_is_paused(self):
        # It is to return at 7 s, and was called before; what paused it meanwhile lasts until 12 s.
        events = self.run_all(HEAD + "content: { size: 4M, piece: 64K }\nnodes:\n"
                              "  - { name: seed, has: all }\n  - { name: leech, down: 6Mbit }\n"
                              "events:\n  - { at: 1s, kind: crash, who: leech, for: 6s }\n"
                              "  - { at: 2s, kind: start, who: leech }\n"
                              "  - { at: 4s, kind: pause, who: leech, for: 8s }\n" + ALL)
        leech = next(e for e in events if e["event"] == "node" and e["group"] == "leech")
        self.assertEqual(leech["starts"], 2)
        self.assertGreater(leech["complete"], 12)

    def test_the_last_one_leaves_as_well(self):
        events = self.run_all(HEAD + "content: { size: 1M, piece: 64K }\nnodes:\n"
                              "  - { name: seed, has: all, up: 8Mbit }\n  - { name: leech, leave: 0s }\n" + ALL)
        leech = next(e for e in events if e["event"] == "node" and e["group"] == "leech")
        self.assertEqual(leech["left"] is not None and leech["left"] >= leech["complete"], True, leech)

    def test_nothing_stays_of_a_run_that_is_stopped_or_killed(self):
        foe = "  - { name: foe, has: all, up: 1Mbit, adversary: { kind: hostile:W06b } }\n"
        text = (HEAD + "content: { size: 8M }\nnodes:\n  - { name: seed, has: all, up: 1Mbit }\n"
                "  - { name: leeches, count: 3, up: 1Mbit }\n")
        path = self.put(text + foe)
        for verb, sig, code in ((RUN, signal.SIGINT, 130), (RUN, signal.SIGTERM, 130), (RUN, signal.SIGKILL, -9),
                                (CHECK, signal.SIGINT, 130), (CHECK, signal.SIGKILL, -9),
                                (CALIBRATE, signal.SIGTERM, 130), (CALIBRATE, signal.SIGKILL, -9)):
            if verb == CALIBRATE:  # a case has no virtual run
                path = self.put(text)
            process = subprocess.Popen([SHOAL, "lab", *verb, path, "--quiet", "--scratch", self.scratch],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.addCleanup(process.kill)
            end = time.monotonic() + 60
            wanted = 5 if verb == CALIBRATE else 6
            while len(self.left()) < wanted and time.monotonic() < end and process.poll() is None:
                time.sleep(0.05)
            self.assertEqual(len(self.left()), wanted, "the processes, and their folder")
            process.send_signal(sig)
            self.assertEqual(process.wait(60), code, process.stderr.read())
            process.stderr.close()
            self.nothing_is_left()

    def test_lines_are_checked_over_several_real_runs(self):
        text = (HEAD + "content: { size: 1M, piece: 64K, format: v1 }\nnodes:\n  - { name: seed, has: all, up: 8Mbit }\n"
                "  - { name: leeches, count: 2, up: 8Mbit }\nruns: [{ name: slow, set: [\"seed.up = 2Mbit\"] }]\n"
                "must_hold: [always completed == 100%, tmax < tmax(slow), copies_out <= 9, tmax(lt) <= 1h")
        events = self.run_all(text + "]\n", verb=CHECK)
        held = {e["line"]: e for e in events if e["event"] == "hold"}
        self.assertEqual([e["verdict"] for e in held.values()], ["held", "held", "open", "open"])
        self.assertIn("only the virtual world", held["copies_out <= 9"]["needs"])
        runs = {e["run"]: e for e in events if e["event"] == "case"}
        self.assertEqual((list(runs), runs[None]["done"], runs["slow"]["wanting"]), ([None, "slow"], 2, 2))
        self.assertTrue(1 < runs[None]["tmax"] < runs["slow"]["tmax"], runs)
        self.assertEqual(next(e for e in events if e["event"] == "scenario")["verdict"], "open")
        done = lab(self.put(text + ", tmax <= 1ms]\n"), verb=CHECK)
        self.assertEqual((done.returncode, "MISSED  tmax <= 1ms" in done.stdout,
                          "not measured for real: only the virtual world" in done.stdout), (1, True, True), done.stdout)
        done = lab(self.put(HEAD + "content: { size: 1M }\nnodes:\n  - { name: a, has: all, nat: cone }\n" + ALL), verb=CHECK)
        self.assertEqual((done.returncode, "cannot be had for real: a real run has no NAT" in done.stdout), (2, True), done.stdout)

    def test_two_worlds_are_held_against_each_other(self):
        text = (HEAD + "content: { size: 1M, piece: 64K }\nnodes:\n  - { name: seed, has: all, up: 8Mbit }\n"
                "  - { name: leeches, count: 2, up: 8Mbit }\n" + ALL)
        row = next(e for e in self.run_all(text, "--bar", "100000%", verb=CALIBRATE) if e["event"] == "calibration")
        self.assertEqual((row["scenario"], row["runs"], row["held"]), ("small", 1, True))
        self.assertTrue(1 < row["t50"]["real"] <= row["tmax"]["real"] and 1 < row["tmax"]["virtual"], row)
        self.assertAlmostEqual(row["tmax"]["off"], row["tmax"]["virtual"] / row["tmax"]["real"] - 1, places=3)
        # Nobody is complete within the limit: nothing that is missing is ever held.
        row = next(e for e in self.run_all(text.replace("100s", "200ms"), "--bar", "100000%", verb=CALIBRATE, code=1)
                   if e["event"] == "calibration")
        self.assertEqual((row["held"], row["tmax"]["off"]), (False, None))
        done = lab(self.put(text), "--bar", "0%", "--scratch", self.scratch, verb=CALIBRATE)
        self.assertEqual((done.returncode, "MISSED" in done.stdout, "0 within 0 %, 1 not" in done.stdout), (1, True, True),
                         done.stdout)
        done = lab(self.put(text), "--bar", "soon", verb=CALIBRATE)
        self.assertEqual(done.returncode, 2)

    def test_nodes_find_each_other_in_a_dht_of_their_own(self):
        events = self.run_all(HEAD + "meet: dht\ncontent: { size: 1M, piece: 64K }\nnodes:\n"
                              "  - { name: seed, has: all, up: 16Mbit, reorder: 2% }\n"
                              "  - { name: leeches, count: 4, up: 16Mbit, join: every(200ms) }\n"
                              # And the tracker tells nobody of them.
                              "  - name: asks\n    join: 500ms\n    life: 1500ms\n    kind: command\n    command: >\n"
                              "      python3 -c 'import os, time, urllib.request as u;\n"
                              "      said = u.urlopen(os.environ[\"LAB_TRACKER\"] + \"?port=1&left=9\").read();\n"
                              "      time.sleep(60) if b\"5:peers0:\" in said else os._exit(3)'\n" + ALL)
        run = next(e for e in events if e["event"] == "run")
        self.assertEqual((run["in_time"], run["wrong"], run["completed"]), (True, None, 1))

    def test_a_case_of_tools_hostile_is_a_node(self):
        path = self.put(HEAD + "content: { size: 4M, piece: 64K }\nnodes:\n"
                        "  - { name: seed, has: all, up: 8Mbit }\n  - { name: leeches, count: 2, up: 8Mbit }\n"
                        "  - { name: dials, has: all, adversary: { kind: hostile:W06b } }\n"
                        "  - { name: serves, has: all, adversary: { kind: hostile:W10e } }\n" + ALL)
        done = lab(path, "--json", "--keep", "--scratch", self.scratch)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)
        nodes = {e["group"]: e for e in map(json.loads, done.stdout.splitlines()) if e["event"] == "node"}
        self.assertEqual((nodes["dials"]["program"], nodes["serves"]["program"]), ("hostile:W06b", "hostile:W10e"))
        folder = os.path.join(self.scratch, os.listdir(self.scratch)[0], "run-1")
        with open(os.path.join(folder, "dials", "log"), encoding="utf-8") as log:
            self.assertRegex(log.read(), r"W06b against 10\.77\.0\.\d: ")
        self.assertTrue(nodes["serves"]["up"] > 0)
        done = lab(self.put(HEAD + "content: { size: 1M }\nnodes: [{ name: a, has: all, adversary: { kind: hostile:Q99 } }]\n"))
        self.assertEqual((done.returncode, "no such case: Q99" in done.stdout), (1, True), done.stdout + done.stderr)

    def test_what_is_no_json_is_in_the_log_once(self):
        done = lab(self.put(HEAD + "content: { size: 1M, piece: 64K }\nnodes:\n  - { name: seed, has: all, up: 4Mbit }\n"
                            "  - { name: leech }\n  - { name: mine, life: 1s, kind: command, command: "
                            "'(echo hello; echo again) >$LAB_SAID; exec sleep 60' }\n" + ALL),
                   "--keep", "--scratch", self.scratch)
        folder = os.path.join(self.scratch, os.listdir(self.scratch)[0], "run-1")
        with open(os.path.join(folder, "mine", "log"), encoding="utf-8") as log:
            self.assertRegex(log.read(), r"^shoal lab: .* no JSON: hello\n$", done.stdout + done.stderr)

    def test_a_node_that_dies_by_itself_breaks_a_rule(self):
        done = None
        path = self.put(HEAD + "content: { size: 8M }\nnodes:\n  - { name: seed, has: all, up: 1Mbit }\n"
                        "  - { name: leech }\n")
        process = subprocess.Popen([SHOAL, "lab", "run", "--real", path, "--scratch", self.scratch],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.kill)
        end = time.monotonic() + 60
        while done is None and time.monotonic() < end:
            for pid in filter(str.isdigit, self.left()):
                if os.readlink(f"/proc/{pid}/cwd").endswith("/leech"):
                    time.sleep(0.3)
                    os.kill(int(pid), signal.SIGSEGV)
                    done = pid
        out = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 1, out)
        self.assertRegex(out, r"a rule was broken: node 1 \(leech\) has ended by itself")
        self.nothing_is_left()

    def test_what_cannot_be_had_is_refused(self):
        done = lab(self.put(HEAD + "content: { size: 1M }\nnodes:\n  - { name: a, has: all, nat: cone }\n"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("small.yaml:6:31: a real run has no NAT", done.stderr)
        done = lab(self.put(HEAD + "content: { size: 1M }\nnodes:\n  - { name: a, has: all }\n"), "--trace", "x")
        self.assertEqual((done.returncode, "--trace is of runs in virtual time" in done.stderr), (2, True))
        # And a kind that only real processes have is refused without --real.
        done = subprocess.run([SHOAL, "lab", "run", self.put(HEAD + "content: { size: 1M }\nnodes:\n"
                               "  - { name: a, has: all, kind: aria2 }\n")], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, " needs --real (" in done.stderr), (2, True), done.stderr)


def can_be_had():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "one.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write("name: one\nsummary: one\ncontent: { size: 16K, piece: 16K }\nnodes: [{ name: a, has: all }]\n")
        done = lab(path, "--quiet", "--scratch", folder)
    if done.returncode == 4:
        print("SKIPPED: no real runs here: " + done.stderr.strip(), flush=True)
        sys.exit(77)


if __name__ == "__main__":
    can_be_had()
    unittest.main()
