"""tools/bench/harness.py - the ground the measures stand on: processes, clocks, CPU, memory, a quiet machine.

Time is CLOCK_MONOTONIC. A process's CPU is its own clock of the kernel's (all threads, dead ones too, to the
nanosecond), read from outside; it works without cgroups and for any user.
"""
import array
import atexit
import ctypes
import http.server
import json
import mmap
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

DISTURBED = 6.0  # % of one core used by others during a run, from which on the run counts as disturbed
FREE_LEFT = 2048  # MiB that others can have while memory is being touched
FATAL = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL}
now = time.monotonic


class Failed(Exception):
    """A measure that could not be taken; the text says why."""


class Crashed(Failed):
    """libtorrent fell over. That is no figure of it: the measure is taken again."""


def note(text):
    print(text, file=sys.stderr, flush=True)


# ---- processes ---------------------------------------------------------------------------------------------------
class Node:
    """A running engine that writes JSON lines, read as they come by a thread of its own.

    began: when its clock started. CPU and events count from there.
    """
    running = []
    inside = []  # what is put before a command: the way into another network namespace
    held = None  # a list: programs that say `imported` are collected there and wait for release()

    def __init__(self, name, argv, folder, gated=False, asked=False):
        """gated: the program first says `imported` and waits for a line; the clocks start with that line.
        asked: it answers lines on its stdin."""
        os.makedirs(folder, exist_ok=True)
        self.name, self.events, self.news = name, [], threading.Condition()
        self.log = os.path.join(folder, "stderr")
        self.ended, self.status, self.fatal = None, None, None  # fatal: the signal that it died of by itself
        with open(self.log, "wb") as err:
            self.began = now()
            stdin = subprocess.PIPE if gated or asked else subprocess.DEVNULL
            self.process = subprocess.Popen([*Node.inside, *argv], stdin=stdin,
                                            stdout=subprocess.PIPE, stderr=err, cwd=folder)
        self.pid = self.process.pid
        Node.running.append(self)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.cpu_before = 0.0
        if gated and Node.held is not None:
            Node.held.append(self)
        elif gated:
            self.wait("imported", 30)
            self._go()

    def _go(self):
        self.cpu_before = self.cpu()
        self.began = now()
        self.ask(b"go\n")

    def ask(self, line=b"\n"):
        self.process.stdin.write(line)
        self.process.stdin.flush()

    @staticmethod
    def together(make):
        """make() starts nodes and returns them; those that are gated begin when all of them can."""
        Node.held = []
        try:
            made, held = make(), Node.held
        finally:
            Node.held = None
        for node in held:
            node.wait("imported", 60)
        for node in held:
            node._go()
        return made

    def _read(self):
        for line in self.process.stdout:
            came = now()
            try:
                event = json.loads(line)
            except ValueError:
                continue
            with self.news:
                self.events.append((came, event))
                self.news.notify_all()
        try:
            end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)  # not reaped: its CPU clock stays readable
            if end.si_code != os.CLD_EXITED and end.si_status in FATAL:
                self.fatal = signal.Signals(end.si_status).name
        except ChildProcessError:
            pass  # stop() was first
        with self.news:
            self.ended = now()
            self.news.notify_all()

    def say(self, kind):
        """An event of an engine that writes none: whoever started it knows better."""
        with self.news:
            self.events.append((now(), {"event": kind}))
            self.news.notify_all()

    def find(self, kind):
        return next(((came, e) for came, e in self.events if e.get("event") == kind), None)

    def wait(self, kind, limit):
        """When the line of that event came in. None for `exit`: waits for the end of the process."""
        end = now() + limit
        with self.news:
            while True:
                found = self.ended if kind == "exit" else self.find(kind)
                if found:
                    return found if kind == "exit" else found[0]
                if self.ended is not None or now() >= end:
                    when = "before it ended" if self.ended is not None else f"within {limit:g} s"
                    how = f" ({self.fatal})" if self.fatal else ""
                    failed = Crashed if self.fatal and self.name.startswith("libtorrent") else Failed
                    raise failed(f"{self.name}: no {kind} {when}{how}{self.why()}")
                self.news.wait(end - now())

    def why(self):
        with open(self.log, errors="replace") as f:
            text = f.read().strip().split("\n")[-1][-300:]
        said = [e for _, e in self.events if e.get("event") == "error"][-1:]
        return "".join(": " + str(x) for x in (text, *said) if x)

    def cpu(self):
        """CPU seconds, user and system, since it began."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2) - self.cpu_before  # CPUCLOCK_SCHED of another process
        except OSError:
            return 0.0

    def memory(self):
        """(peak, now) resident MiB; zeros once it is gone."""
        try:
            with open(f"/proc/{self.pid}/status") as f:
                text = f.read()
        except OSError:
            text = ""
        return tuple(int(m.group(1)) / 1024 if (m := re.search(key + r":\s+(\d+)", text)) else 0.0
                     for key in ("VmHWM", "VmRSS"))

    def stop(self):
        """Ends it, politely if it lets us; its exit status."""
        if self in Node.running:
            Node.running.remove(self)
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
                try:
                    self.process.wait(10)
                except subprocess.TimeoutExpired:
                    self.process.kill()
                    self.process.wait()
            if self.process.stdin:
                self.process.stdin.close()
            self.reader.join(5)
            self.process.stdout.close()
            self.status = self.process.returncode
        return self.status


def stop_all():
    for node in list(Node.running):
        node.stop()


def run_timed(argv, limit=600):
    """Runs a command to its end: (wall seconds, CPU seconds)."""
    with tempfile.TemporaryFile() as said:
        t = now()
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        timer = threading.Timer(limit, process.kill)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = now() - t
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            said.seek(0)
            text = said.read()[-300:].decode(errors="replace")
            raise Failed(f"{' '.join(argv[:3])} ... exit {process.returncode}: {text}")
    return wall, used.ru_utime + used.ru_stime


class Profile:
    """perf on running nodes, when asked for: a file of text for each, by cost."""

    def __init__(self, folder, nodes):
        self.folder, self.running = folder, []
        if folder:
            os.makedirs(folder, exist_ok=True)
            for role, node in nodes:
                data = os.path.join(folder, f"{role}-{node.name}-{node.pid}.data")
                self.running.append((data, subprocess.Popen(
                    ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "997", "-o", data, "-p", str(node.pid)],
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)))

    def end(self):
        for data, perf in self.running:
            perf.send_signal(signal.SIGINT)
            perf.wait()
            with open(data.replace(".data", ".txt"), "wb") as out:
                subprocess.run(
                    ["perf", "report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.5",
                     "-s", "comm,dso,symbol", "-i", data], stdout=out, stderr=subprocess.DEVNULL, check=False)


# ---- the machine -------------------------------------------------------------------------------------------------
def busy_seconds():
    """CPU seconds all of the machine has spent on anything but idling."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, soft = map(int, f.readline().split()[1:8])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


class Foreign:
    """What others on this machine used since this was made, in % of one core."""

    def __init__(self, *nodes):
        self.nodes = nodes
        self.t, self.busy, self.ours = now(), busy_seconds(), self._ours()

    def _ours(self):
        used = time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID)
        return used + sum(n.cpu() for n in self.nodes)

    def percent(self, more=0.0):
        """more: CPU of ours that no node here accounts for."""
        others = busy_seconds() - self.busy - (self._ours() - self.ours) - more
        return max(0.0, others / max(now() - self.t, 0.01) * 100)


def wait_quiet(limit):
    """Until two windows in a row show others at rest; at most `limit` seconds."""
    end, calm = now() + limit, 0
    while calm < 2 and now() < end:
        seen = Foreign()
        time.sleep(0.3)
        calm = calm + 1 if seen.percent() < DISTURBED else 0
    return calm == 2


def go_ahead(nice):
    """Goes on in a child at this niceness, with all that it starts; the caller waits for it and ends as it does.

    Where there are autogroups the kernel weighs sessions against each other; so it gets one of its own, told the same.
    """
    child = os.fork()
    if child:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda n, _: os.kill(child, n))
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    os.setsid()
    os.nice(nice)
    try:
        with open("/proc/self/autogroup", "w") as f:
            f.write(str(nice))
    except OSError:
        pass


def free_memory():
    """Bytes this machine could give to files in memory."""
    with open("/proc/meminfo", encoding="ascii") as f:
        return int(re.search(r"MemAvailable:\s+(\d+)", f.read()).group(1)) << 10


def hold_memory(most=None):
    """Keeps memory that a run frees inside this machine; at most so many MiB, else nearly all that is free.

    In a virtual machine whose balloon reports free pages, blocks of 2 MiB that become free go back to the host within
    seconds, and the next run pays a host fault for every page: tmpfs then writes at a sixth of its speed, at random. So
    touch what is free and keep one page of each physical block: no block is ever wholly free. All of it, not what a run
    needs: a file system that asks for large folios gets the wholly free blocks first.
    Needs root (page frame numbers). Returns the pages held, 0 where there is no need.
    """
    try:
        if not os.listdir("/sys/bus/virtio/drivers/virtio_balloon"):
            return 0
        with open("/proc/meminfo") as f:
            free = int(re.search(r"MemFree:\s+(\d+)", f.read()).group(1)) // 1024
        mib = free - FREE_LEFT if most is None else min(most, free - FREE_LEFT)
        if mib < 64 or os.geteuid() != 0:
            return 0
        frames = open("/proc/self/pagemap", "rb", buffering=0)
    except (OSError, AttributeError):
        return 0
    page, per_block = mmap.PAGESIZE, (2 << 20) // mmap.PAGESIZE
    area = mmap.mmap(-1, mib << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # MAP_NORESERVE
    area.madvise(mmap.MADV_NOHUGEPAGE)
    for at in range(0, mib << 20, page):
        area[at] = 1
    base = ctypes.addressof(ctypes.c_char.from_buffer(area)) // page
    seen, kept, free_from = set(), 0, 0
    pages = (mib << 20) // page
    for first in range(0, pages, 4096):
        entries = array.array("Q")
        frames.seek((base + first) * 8)
        entries.frombytes(frames.read(min(4096, pages - first) * 8))
        for i, entry in enumerate(entries, first):
            block = (entry & ((1 << 55) - 1)) // per_block
            if block not in seen:
                seen.add(block)
                kept += 1
                if i > free_from:
                    area.madvise(mmap.MADV_DONTNEED, free_from * page, (i - free_from) * page)
                free_from = i + 1
    if free_from * page < len(area):
        area.madvise(mmap.MADV_DONTNEED, free_from * page)
    frames.close()
    hold_memory.areas = getattr(hold_memory, "areas", []) + [area]
    return kept


def set_congestion(wanted="cubic"):
    """Inside the namespace: a congestion control that does not pace. BBR, some machines' default, does, and costs
    loopback half its speed. Where no namespace may choose cubic, reno: without losses the two are the same."""
    path = "/proc/sys/net/ipv4/tcp_congestion_control"
    for name in (wanted, "reno"):
        try:
            with open(path, "w") as f:
                f.write(name)
        except OSError:
            continue
        break
    with open(path) as f:
        return f.read().strip()


class Tracker:
    """Answers every announce to /announce/HOST/PORT, or more such pairs, with those peers."""

    def __init__(self):
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                names = self.path.partition("?")[0].split("/")[2:]
                peers = b"".join(socket.inet_aton(host) + int(port).to_bytes(2, "big")
                                 for host, port in zip(names[::2], names[1::2]))
                body = b"d8:intervali1800e5:peers%d:%se" % (len(peers), peers)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.host = "127.0.0.1"  # where whoever asks reaches us; our namespace is closed
        self.server = http.server.ThreadingHTTPServer(("", 0), Answer)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, *peers):
        """peers: HOST:PORT each."""
        names = "/".join(peer.replace(":", "/") for peer in peers)
        return f"http://{self.host}:{self.server.server_address[1]}/announce/{names}"


class Scratch:
    """A folder of our own that is gone when we are."""

    def __init__(self, parent):
        self.path = tempfile.mkdtemp(prefix="shoal-bench-", dir=parent)
        atexit.register(self.remove)

    def remove(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def fresh(self, name):
        path = os.path.join(self.path, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path


def spread(values):
    """{median, min, max, n}; None for nothing."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}
