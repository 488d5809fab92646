"""cases.py - the cases of a test: which of them run, how each one went, and what they come to."""
import os
import tempfile
import time
import traceback


class Cases:
    """Runs them one after the other, or several at once, each from a thread of its own."""

    def __init__(self):
        self.only = os.environ.get("SHOAL_INTEROP_ONLY", "").replace("_", " ")
        self.went = []

    def wanted(self, name):
        return self.only in name.replace("_", " ")

    def run(self, name, case, *args, tries=1):
        """`case(*args)`, if it is asked for, as often as `tries` until it passes. What it returns is said beside its name."""
        if not self.wanted(name):
            return
        name = name.replace("_", " ")
        for left in reversed(range(tries)):
            began = time.monotonic()
            try:
                said = case(*args)
                print(f"ok      {name:44} {time.monotonic() - began:5.1f} s  {said or ''}".rstrip(), flush=True)
                self.went.append(True)
                return
            except Exception as e:  # one case must not hide the others
                why = isinstance(e, AssertionError) and str(e) or traceback.format_exc()
                print(f"{'again ' if left else 'FAILED'}  {name}\n{why}", flush=True)
        self.went.append(False)

    def end(self):
        """The exit status: 0 if there was one, and none failed."""
        failed = self.went.count(False)
        print(f"{len(self.went) - failed} passed, {failed} failed", flush=True)
        return 1 if failed or not self.went else 0


def scratch(name):
    """A folder to work in, to be had by `with`; what a dying process still writes there is no fault of the test."""
    return tempfile.TemporaryDirectory(prefix=f"shoal-{name}-", ignore_cleanup_errors=True)
