"""test_tree.py - the tree keeps its own rules: arrows, banned calls, sizes, top level."""
import os
import sys

sys.dont_write_bytecode = True
import rules  # noqa: E402

root = os.environ.get("SHOAL_TREE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
seen = sum(1 for _ in rules.sources(root))
found = rules.faults(root)
print("\n".join(found))
print(f"{seen} sources read, {len(found)} faults")
sys.exit(1 if found or not seen else 0)
