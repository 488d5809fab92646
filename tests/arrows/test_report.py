"""test_report.py - the summary of tools/check turns red when it must: failures, lost tests, new skips."""
import os
import subprocess
import sys
import tempfile
import unittest

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# As ctest 3.25 writes them.
OK = '<testcase name="unit/wire" time="0.1" status="run"><system-out>[       OK ] a\n[       OK ] b\n</system-out></testcase>'
FAIL = '<testcase name="unit/bits" time="0.1" status="fail"><failure message=""/><system-out>boo</system-out></testcase>'
LOST = ('<testcase name="unit/gone" time="0" status="notrun"><skipped message="Unable to find executable"/>'
        '<system-out>Unable to find executable: gone</system-out></testcase>')
OFF = '<testcase name="unit/off" time="0" status="disabled"><system-out>Disabled</system-out></testcase>'
SKIP = ('<testcase name="unit/skip" time="0" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/>'
        '<system-out></system-out></testcase>')
PART = ('<testcase name="unit/part" time="0" status="run"><system-out>[       OK ] a\n[  SKIPPED ] b\n'
        '[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] b\n</system-out></testcase>')


class Report(unittest.TestCase):
    def report(self, cases, status="passed", skips="", again=None):
        """(exit code, output) of a run with a step `setup` and a step `release` of these cases."""
        with tempfile.TemporaryDirectory() as folder:
            def put(name, text):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(text)
            put("steps", f"setup\tpassed\t1\nrelease\t{status}\t2\n")
            put("release.log", "the whole log\n")
            put("skips.txt", skips)
            if cases is not None:
                put("release.xml", "<testsuite>" + "".join(cases) + "</testsuite>")
            if again is not None:
                put("release.again.xml", "<testsuite>" + "".join(again) + "</testsuite>")
            done = subprocess.run([sys.executable, "-B", os.path.join(TESTS, "report.py"), folder,
                                   os.path.join(folder, "skips.txt")], capture_output=True, text=True, check=False)
            self.assertEqual(done.stderr, "")
            return done.returncode, done.stdout

    def ends(self, told, code, last):
        self.assertEqual((told[0], told[1].rstrip().split("\n")[-1]), (code, last), told[1])

    def test_all_good(self):
        self.ends(self.report([OK]), 0, "2 passed, 0 failed, 0 skipped")

    def test_a_failure_is_shown_with_its_output(self):
        told = self.report([OK, FAIL], "failed")
        self.ends(told, 1, "2 passed, 1 failed, 0 skipped")
        self.assertIn("boo", told[1])

    def test_a_test_that_was_not_built_or_is_switched_off_has_failed(self):
        self.ends(self.report([OK, LOST], "failed"), 1, "2 passed, 1 failed, 0 skipped")
        self.ends(self.report([OK, OFF]), 1, "2 passed, 1 failed, 0 skipped")

    def test_a_skip_needs_review(self):
        self.ends(self.report([OK, SKIP]), 1, "2 passed, 1 failed, 0 skipped")
        self.ends(self.report([OK, SKIP], skips="unit/skip  needs a moon\n"), 0, "2 passed, 0 failed, 1 skipped")
        self.ends(self.report([OK, SKIP], skips="# unit/skip  not this\nunit/ski  nor this\n"), 1,
                  "2 passed, 1 failed, 0 skipped")

    def test_a_skipped_case_inside_a_test_needs_review_too(self):
        self.ends(self.report([PART]), 1, "2 passed, 1 failed, 0 skipped")
        self.ends(self.report([PART], skips="unit/part: b  needs a moon\n"), 0, "2 passed, 0 failed, 1 skipped")

    def test_a_second_try_counts_and_is_told(self):
        good = FAIL.replace('status="fail"', 'status="run"')
        told = self.report([OK, FAIL], again=[good])
        self.ends(told, 0, "3 passed, 0 failed, 0 skipped")
        self.assertIn("second try alone: release unit/bits", told[1])
        self.assertIn("boo", told[1])
        self.ends(self.report([OK, FAIL], "failed", again=[FAIL]), 1, "2 passed, 1 failed, 0 skipped")
        self.ends(self.report([OK, FAIL, LOST], "failed", again=[good]), 1, "3 passed, 1 failed, 0 skipped")

    def test_a_step_that_broke_without_results_has_failed(self):
        told = self.report(None, "failed")
        self.ends(told, 1, "1 passed, 1 failed, 0 skipped")
        self.assertIn("the whole log", told[1])

    def test_a_step_that_failed_though_its_tests_passed_has_failed(self):
        self.ends(self.report([OK], "failed"), 1, "2 passed, 1 failed, 0 skipped")


unittest.main()
