"""test_power_cut.py - a real ext4 loses its power: an image is copied while shoal writes into it, and lives on from the copy.

    test_power_cut.py [--cuts N] [--seed S]

Data and state both lie on a loop device. At a random moment shoal is stopped and its image copied, without a sync; everything that
waits in the page cache is not in the copy. The copy is mounted in the image's place (the journal
replays), on the same device, so that it is the same file system to whoever looks. Then: every claim that is believed is
true; every piece a peer had been told of before the copy began is claimed; what was said to be complete is.
50 cuts; SHOAL_LONG: 1,000. Needs root.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import faultkit as kit  # noqa: E402

MANY = {f"d{i % 5}/{i:02}": 60_000 + 7919 * i for i in range(24)}
ONE = {"content": 6_000_001}
FEW = {"a": 2_000_003, "b/c": 1, "b/d": 900_001, "e": 300_000}
MKFS = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0"]


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout.strip()


def stopped(pid):
    """Waits until no thread runs any more: one within a call goes on to its end."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            states = [open(f"/proc/{pid}/task/{t}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()[0]
                      for t in os.listdir(f"/proc/{pid}/task")]
        except FileNotFoundError:
            return  # it has ended, which is as good
        if all(s in "TtZX" for s in states):
            return
        time.sleep(0.002)
    raise AssertionError("it does not stop")


class Disk:
    """An ext4 on a loop device, always the same device."""

    def __init__(self, work):
        self.image = os.path.join(work, "image")
        self.at = os.path.join(work, "mnt")
        os.mkdir(self.at)
        with open(self.image, "wb") as f:
            f.truncate(48 << 20)
        run(*MKFS, self.image)
        self.device = run("losetup", "-f", "--show", self.image)
        run("mount", "-t", "ext4", self.device, self.at)

    def copy(self, to):
        run("cp", "--sparse=always", self.image, to)

    def off(self):
        if os.path.ismount(self.at):
            run("umount", self.at)
        run("losetup", "-d", self.device)

    def on(self, image):
        os.replace(image, self.image)
        run("losetup", self.device, self.image)
        run("mount", "-t", "ext4", self.device, self.at)


class Transfer:
    def __init__(self, work, number, rnd, form, sizes):
        self.work = os.path.join(work, str(number))
        os.mkdir(self.work)
        self.content = kit.Content(self.work, form, sizes, 1000 + number, "32K")
        self.host = f"127.1.0.{1 + number}"
        self.seed = kit.Shoal(self.work, "seed", self.content.torrent, "-d", self.content.source, "--listen",
                              f"{self.host}:7000")
        self.disk = Disk(self.work)
        self.copy = os.path.join(self.disk.at, "copy")
        self.state = os.path.join(self.disk.at, "state")
        self.seed.wait_for("started")
        self.relay = kit.Relay((self.host, 7001), (self.host, 7000))
        self.rnd = rnd
        self.claimed = set()
        self.told = self.deaths = 0

    def life(self):
        """Until the power goes. True when it had said by then that all is done."""
        told_from, asked_from = len(self.relay.told), len(self.relay.asked)
        getter = kit.Shoal(self.work, "get", self.content.torrent, "-o", self.copy, "--peer", self.relay.address,
                           "--listen", f"{self.host}:7002", "--down", "6M", "--timeout", "60", state=self.state)
        end = time.monotonic() + 0.02 + self.rnd.random() * 0.5
        while time.monotonic() < end and getter.process.poll() is None:
            time.sleep(0.003)
        # The copy has to be of one moment: else it has the place of a piece as it was before the piece was written, and
        # the record of it, further on in the image, as it was after. What the kernel still writes by itself claims nothing.
        if getter.process.poll() is None:
            getter.process.send_signal(signal.SIGSTOP)
            stopped(getter.process.pid)
        told = set(self.relay.told[told_from:])
        complete = getter.last("complete") is not None
        cut = os.path.join(self.work, "cut")
        self.disk.copy(cut)
        getter.kill()
        self.disk.off()
        self.disk.on(cut)
        self.deaths += 1
        self.check(getter, told, complete, self.relay.asked[asked_from:])
        getter.forget()
        return complete

    def check(self, getter, told, complete, asked):
        claims = kit.claims(self.content.torrent, self.copy, self.state, self.work)
        bad = self.content.false_claims(self.copy, claims)
        assert not bad, f"claimed and false: {bad[:5]}"
        now = {r[0] for r in claims["ranges"]}
        self.told += len(told)
        assert told <= now, f"told to a peer, and not claimed after the cut: {sorted(told - now)[:5]}"
        assert self.claimed <= now, f"claims are gone: {sorted(self.claimed - now)[:5]}"
        again = [a for a in asked if a[0] in self.claimed]
        assert not again, f"asked for again: {again[:5]}"
        checked = getter.last("checked")
        assert not checked or checked["done"] >= sum(self.piece_bytes(p) for p in self.claimed), "less after the restart"
        self.lengths = {}
        for r in claims["ranges"]:
            self.lengths[r[0]] = self.lengths.get(r[0], 0) + r[4]
        self.claimed = now
        if complete:
            self.content.same(self.copy)

    def piece_bytes(self, piece):
        return self.lengths[piece]

    def run(self):
        while not self.life():
            assert self.deaths < 300, "it gets nowhere"

    def end(self):
        self.seed.kill()
        self.disk.off()


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--cuts", type=int, default=1000 if os.environ.get("SHOAL_LONG") else 10 if os.environ.get("SHOAL_SHORT") else 50)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    rnd = random.Random(args.seed)
    shm = "/dev/shm"
    work = tempfile.mkdtemp(prefix="shoal-cut-", dir=shm if os.access(shm, os.W_OK) and shutil.disk_usage(shm).free > 400 << 20 else None)
    cuts = number = told = 0
    started = time.monotonic()

    def begin(n):
        return Transfer(work, n, rnd, ("v1", "v2", "hybrid")[n // 3 % 3 if n >= 3 else n % 3], (ONE, MANY, FEW)[n % 3])

    try:
        for t in kit.transfers(begin, args.cuts, args.seed):
            cuts += t.deaths
            told += t.told
            number += 1
        print(f"{cuts} power cuts on ext4 in {number} transfers, {time.monotonic() - started:.1f} s: no false claim, "
              f"{told} pieces told durable before a cut, none lost")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return 0


if os.geteuid() != 0:
    kit.skip("power cuts need root, for a loop device")
for tool in "mkfs.ext4", "losetup", "mount":
    if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin"):
        kit.skip(f"there is no {tool}")
os.environ["PATH"] += ":/sbin:/usr/sbin"
if subprocess.run(["losetup", "-f"], capture_output=True).returncode != 0:
    kit.skip("there is no loop device")
kit.inside("-m", "--propagation", "private")
sys.exit(main())
