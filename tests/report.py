"""report.py FOLDER SKIPS - sums up what tools/check left: FOLDER/steps, FOLDER/STEP.xml (JUnit of ctest), and of
second tries FOLDER/STEP.again.xml.

Prints the output of what failed, the tests by step and kind, every skip and second try, and last the line
"N passed, N failed, N skipped". A skip that is not in the file SKIPS is a failure, and so is a
test that was never built or is switched off.
"""
import os
import re
import sys
import xml.etree.ElementTree as ET

SHOWN = 60  # last lines of a failed test or step


class Row:
    """The tests of one kind in one step; cases are what they ran inside."""

    def __init__(self):
        self.passed = self.cases = self.failed = self.skipped = 0
        self.seconds = 0.0


def reviewed(path):
    """Skip -> reason, from lines "folder/name reason" and "folder/name: case reason"."""
    known = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            found = re.match(r"([^\s#:]+(?:: *\S+)?)\s+(\S.*)", line)
            if found:
                known[found.group(1)] = found.group(2)
    return known


def cases_of(output):
    """(passed, names skipped) inside one test's output: cmocka's, unittest's and plain SKIP lines."""
    passed = len(re.findall(r"^\[       OK \] ", output, re.M))
    for found in re.finditer(r"^Ran (\d+) tests? in ", output, re.M):
        passed += int(found.group(1))
    skipped = set(re.findall(r"^\[  SKIPPED \] (?!\d+ test)(\S+)", output, re.M))
    if re.search(r"skipped=\d+\)", output):
        skipped.add("unittest")
    if re.search(r"^SKIP", output, re.M):
        skipped.add("part")
    return passed, sorted(skipped)


def cases_in(path):
    """Test -> its element, of a JUnit file; none where there is no file."""
    if not os.path.exists(path):
        return {}
    return {case.get("name"): case for case in ET.parse(path).getroot().iter("testcase")}


def tail(text, shown=SHOWN):
    lines = text.rstrip().split("\n")
    return "\n".join(["    ..."] * (len(lines) > shown) + ["    " + line for line in lines[-shown:]])


class Report:
    def __init__(self, folder, known):
        self.folder, self.known = folder, known
        self.rows = {}      # (step, kind) -> Row
        self.failures = []  # (what, its output)
        self.skips = []     # (step, what, reason or None)
        self.again = []     # (what, output of the first try) of those that passed at the second
        self.plain = Row()  # steps without tests of their own

    def step(self, name, status):
        path = os.path.join(self.folder, name + ".xml")
        failed = len(self.failures)
        if os.path.exists(path):
            second = cases_in(os.path.join(self.folder, name + ".again.xml"))
            for test, case in cases_in(path).items():
                if case.get("status") == "fail" and test in second:
                    if second[test].get("status") == "run":
                        self.again.append((f"{name} {test}", case.findtext("system-out") or ""))
                    case = second[test]
                self.case(name, case)
        elif status == "passed":
            self.plain.passed += 1
        if status == "failed" and len(self.failures) == failed:
            self.plain.failed += 1
            with open(os.path.join(self.folder, name + ".log"), encoding="utf-8", errors="replace") as file:
                self.failures.append((name, file.read()))

    def case(self, step, case):
        test = case.get("name")
        row = self.rows.setdefault((step, re.split("[/-]", test)[0]), Row())
        row.seconds += float(case.get("time") or 0)
        output = case.findtext("system-out") or ""
        mark = case.find("skipped")
        if mark is not None and mark.get("message", "").startswith("SKIP_RETURN_CODE"):
            self.skip(step, row, test, output)
        elif case.get("status") == "run":
            passed, skipped = cases_of(output)
            row.passed += 1
            row.cases += passed or 1
            for inner in skipped:
                self.skip(step, row, f"{test}: {inner}", output)
        else:
            row.failed += 1
            self.failures.append((f"{step} {test}", output or f"no output in {case.get('time')} s: hung or crashed"))

    def skip(self, step, row, what, output):
        reason = self.known.get(what)
        self.skips.append((step, what, reason))
        if reason is not None:
            row.skipped += 1
            return
        row.failed += 1
        self.failures.append((f"{step} {what}", output + "\nit skipped, and is not in tests/skips.txt"))

    def show(self, steps):
        for what, output in self.again:
            print(f"\nAT FIRST FAILED {what}\n{tail(output, 20)}")
        for what, output in self.failures:
            print(f"\nFAILED {what}\n{tail(output)}")
        print(f"\n{'step':10} {'kind':10} {'passed':>6} {'cases':>6} {'failed':>7} {'skipped':>8} {'seconds':>8}")
        for (step, kind), row in self.rows.items():
            print(f"{step:10} {kind:10} {row.passed:6} {row.cases:6} {row.failed:7} {row.skipped:8} {row.seconds:8.1f}")
        for step, what, reason in self.skips:
            print(f"skipped: {step} {what}: {reason or 'NOT REVIEWED'}")
        for what, _ in self.again:
            print(f"passed at the second try alone: {what}")
        print("time: " + ", ".join(f"{name} {seconds} s" for name, _, seconds in steps)
              + f"; {sum(int(seconds) for _, _, seconds in steps)} s in all")
        rows = list(self.rows.values()) + [self.plain]
        print(f"{sum(r.passed for r in rows)} passed, {sum(r.failed for r in rows)} failed, "
              f"{sum(r.skipped for r in rows)} skipped")


def main(folder, skips):
    with open(os.path.join(folder, "steps"), encoding="utf-8") as file:
        steps = [line.rstrip("\n").split("\t") for line in file]
    report = Report(folder, reviewed(skips))
    for name, status, _ in steps:
        report.step(name, status)
    report.show(steps)
    return 1 if report.failures else 0


sys.exit(main(*sys.argv[1:]))
