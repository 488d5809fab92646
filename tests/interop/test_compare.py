"""test_compare.py - shoal lab compare: both engines over torrents of every shape, and every difference has its reason.

A cut of tests/interop/shapes.py, with SHOAL_LONG=1 all of it. `SHOAL_INTEROP_ONLY=WORD` takes the shapes whose
names have that word.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import closed

closed.enter()
import shapes  # noqa: E402
from cases import Cases  # noqa: E402
from swarmkit import Shoal, digests, tree  # noqa: E402

TREE = os.environ.get("SHOAL_TREE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
LONG = os.environ.get("SHOAL_LONG") == "1"
ONLY = os.environ.get("SHOAL_INTEROP_ONLY", "")
# One or two of each kind, and of each reason the quicker ones.
CUT = re.compile(r"one-(0|16385|100001)-hybrid|tree-64K-|piece-5000|only-empty-v2|symlink-v1|symlink-out-v2|pads-odd-size|no-pads|"
                 r"file-(up|slash|nul|bad-utf8|long-300|escape)-v1|title-rtl|same-twice|file-and-folder|text-(twice-name|trailing|cut)$|"
                 r"bad-(pieces-few|nested-99|layer-wrong|halves-name|layers-none)|around-(nodes-odd|url-list-bad)")
# Of these also what lies there, and a transfer: that costs the most.
DEEP = re.compile(r"^(tree-64K-hybrid|pads-odd-size-v1|symlink-v1|file-slash-v1|bad-layers-none-v2)$")


def compare(work, *words, code=0, env=None):
    scratch = os.path.join(work, "scratch")
    os.makedirs(scratch, exist_ok=True)
    done = subprocess.run([Shoal.program, "lab", "compare", *words, "--json", "--work", scratch], capture_output=True, text=True,
                          errors="surrogateescape", timeout=3600, check=False, env={**os.environ, **(env or {})})
    events = [json.loads(line) for line in done.stdout.splitlines()]
    said = "\n".join(f"{e['file']}: {d['text']} [{d['why'] or 'UNEXPLAINED'}]" for e in events if e["event"] == "compared"
                     for d in e["differences"] if d["why"] is None)
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.stderr[-2000:]}\n{said}"
    assert os.listdir(scratch) == [], "the scratch folder is not empty"
    return events


def holiday(work, fmt="hybrid"):
    """A torrent and its content, by shoal itself."""
    source = os.path.join(work, "source")
    tree(source, {"content/a": 3_000_000, "content/deep/b": 70_001, "content/empty": 0}, 8)
    torrent = os.path.join(source, "t.torrent")
    subprocess.run([Shoal.program, "create", os.path.join(source, "content"), "-o", torrent, "--format", fmt, "--quiet"], check=True)
    return source, torrent


def every_shape_is_explained(work):
    folder = os.path.join(work, "shapes")
    made = shapes.make(folder, Shoal.program, lambda name: ONLY in name and (LONG or CUT.search(name)))
    deep = [os.path.join(folder, name) for name in made if LONG or ONLY or DEEP.match(name)]
    flat = [os.path.join(folder, name) for name in made if os.path.join(folder, name) not in deep]
    events = compare(work, *deep) if deep else []
    events += compare(work, *flat, "--depth", "names") if flat else []
    compared = [e for e in events if e["event"] == "compared"]
    assert len(compared) == len(made), (len(compared), len(made))
    fetched = sum(e["fetched"] for e in events if e["event"] == "summary")
    print(f"  {len(made)} torrents, {fetched} fetched by both, {sum(len(e['differences']) for e in compared)} differences", flush=True)
    assert ONLY or (len(made) >= 500 and fetched >= 200 if LONG else len(made) >= 25 and fetched == 5), (len(made), fetched)


def the_same_is_the_same(work):
    source, torrent = holiday(work)
    before = digests(source)
    (one, summary) = compare(work, torrent)
    assert (summary["torrents"], summary["alike"], summary["fetched"], summary["unexplained"]) == (1, 1, 1, 0), summary
    for side in one["ours"], one["theirs"]:
        assert side["pieces_right"] == side["pieces"] > 0 and side["payload"] >= 3_070_001 and side["wire"] > side["payload"], side
        assert side["check"]["cpu"] > 0 and side["fetch"]["rss"] > 1 << 20 and side["fetch"]["seconds"] > 0, side
    assert one["ours"]["infohash_v1"] == one["theirs"]["infohash_v1"] and one["ours"]["infohash_v2"] == one["theirs"]["infohash_v2"]
    assert digests(source) == before, "the content was touched"
    (one, summary) = compare(work, torrent, "--seed-by", "libtorrent")
    assert summary["alike"] == 1 and summary["fetched"] == 1, one


def damage_is_seen_alike(work):
    source, torrent = holiday(work, "v1")
    with open(os.path.join(source, "content", "a"), "r+b") as f:
        f.seek(1_000_000)
        f.write(b"x")
    (one, summary) = compare(work, torrent)
    assert one["ours"]["pieces_right"] == one["theirs"]["pieces_right"] == one["ours"]["pieces"] - 1, one
    assert summary["fetched"] == 0 and summary["alike"] == 1, summary


def what_nobody_explained_is_exit_1(work):
    _, torrent = holiday(work)
    (one, summary) = compare(work, torrent, "--timeout", "0.001", code=1)
    assert one["differences"][0]["kind"] == "ended" and summary["unexplained"] == 1, one
    # Ours may be done in less than that millisecond.
    assert "not done in time" in (one["ours"]["torrent_is"], one["theirs"]["torrent_is"]), one


def what_cannot_be_done(work):
    _, torrent = holiday(work)
    done = compare(work, torrent, code=4, env={"SHOAL_LT": "/nowhere"})
    assert "without libtorrent" in done[0]["what"], done
    compare(work, os.path.join(work, "none.torrent"), code=3)
    compare(work, torrent, "-d", os.path.join(work, "none"), code=3)
    os.makedirs(os.path.join(work, "bare"))
    compare(work, os.path.join(work, "bare"), code=3)


def it_leaves_nothing_when_interrupted(work):
    source, _ = holiday(work)
    for i in range(30):
        shutil.copy(os.path.join(source, "t.torrent"), os.path.join(source, f"t{i}.torrent"))
    scratch = os.path.join(work, "cut")
    os.makedirs(scratch)
    s = subprocess.Popen([Shoal.program, "lab", "compare", source, "--work", scratch, "--quiet"], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not any("copy" in d for d in os.listdir(scratch)[:1] and os.listdir(os.path.join(scratch, os.listdir(scratch)[0]))):
        assert time.monotonic() < end and s.poll() is None, "it never came to a transfer"
        time.sleep(0.01)
    s.send_signal(signal.SIGINT)
    assert s.wait(10) == 130
    assert os.listdir(scratch) == [], os.listdir(scratch)


def every_reason_is_written_down(work):
    done = subprocess.run([Shoal.program, "lab", "compare", "--reasons", "--json"], capture_output=True, text=True, check=True)
    reasons = {e["id"] for e in map(json.loads, done.stdout.splitlines())}
    with open(os.path.join(TREE, "tools", "lab", "compare", "README.md"), encoding="utf-8") as f:
        written = set(re.findall(r"^\| `([a-z0-9-]+)` \|", f.read(), re.M))
    assert reasons == written, (reasons - written, written - reasons)


CASES = [
    every_shape_is_explained, the_same_is_the_same, damage_is_seen_alike, what_nobody_explained_is_exit_1, what_cannot_be_done,
    it_leaves_nothing_when_interrupted, every_reason_is_written_down,
]


def main():
    if not os.path.exists(os.path.join(os.path.dirname(os.path.abspath(Shoal.program)), "shoal-lt")):
        print("SKIPPED: built without libtorrent")
        sys.exit(77)
    cases = Cases()
    cases.only = ""  # the word is a shape's
    for run in CASES if not ONLY else CASES[:1]:
        work = tempfile.mkdtemp(prefix="shoal-compare-test-")
        cases.run(run.__name__, run, work)
        # Deeper than a path can be: rm goes by descriptors.
        subprocess.run(["rm", "-rf", work], check=False)
    sys.exit(cases.end())


main()
