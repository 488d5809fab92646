"""test_hostile.py - every case of tools/hostile against our own seed and leech; one that is not as expected fails it.

In a build with sanitizers the memory of the process says nothing, and everything takes longer.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.environ.get("SHOAL_TREE") or os.path.join(HERE, "..", "..")
sanitized = "ASAN_OPTIONS" in os.environ or "TSAN_OPTIONS" in os.environ
more = ["--no-memory", "--patience", "3"] if sanitized else ["--patience", "2"]
program = os.environ.get("SHOAL", "shoal")
sys.exit(subprocess.run([os.path.join(TREE, "tools", "hostile"), "run", "all", "--shoal", program, "--name", "shoal"]
                        + more).returncode)
