"""test_proxy.py - all of shoal's traffic through dante's SOCKS5 or an HTTP proxy, and not a packet beside it.

Three networks: ours, whose default route leads into a sink that counts; the proxy's, on both sides; the world, where
a libtorrent seeds, trackers answer, and nodes of the DHT know who has what. Names are known in the proxy's network alone. What is fetched
proves the way, the sink's count that nothing took another. 77 where no namespaces can be had.
"""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import closed
from closed import PYTHON

closed.enter()
from cases import Cases, scratch  # noqa: E402
from spacekit import Space, join, skip  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402

HOME, INSIDE, OUTSIDE, WORLD = "10.20.0.1", "10.20.0.2", "10.21.0.2", "10.21.0.1"
HOSTS = f"127.0.0.1 localhost\n{WORLD} world.test\n"
DHT, DHT_SEED = 7100, 7101
DANTE = """logoutput: stderr
internal: {inside} port = {port}
external: {outside}
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 {more} }}
"""


def world(torrent, folder, content):
    """In the world's network: one who seeds and takes connections, trackers by both schemes, a web server."""
    import http.server
    import urllib.parse
    from swarmkit import Libtorrent
    from trackerkit import Tracker
    seed = Libtorrent(WORLD, 7001).add(torrent, folder)
    wait(seed.finished, "libtorrent checks its data", seed)

    class Ranges(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            data = open(content + urllib.parse.urlsplit(self.path).path, "rb").read()  # a proxy's has the host in it
            wanted = self.headers.get("Range", f"bytes=0-{len(data) - 1}")
            first, last = map(int, wanted.partition("=")[2].split("-"))
            self.send_response(206 if "Range" in self.headers else 200)
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.send_header("Content-Length", str(last + 1 - first))
            self.end_headers()
            self.wfile.write(data[first:last + 1])

    web = http.server.ThreadingHTTPServer((WORLD, 8000), Ranges)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with Tracker(v4=WORLD) as tracker:
        tracker.answer = lambda ask: {"interval": 1800, "seeds": 1, "leeches": 1, "peers": [(WORLD, 7001)]}
        print(tracker.ports["http", 4], tracker.ports["udp", 4], flush=True)
        for line in sys.stdin:  # each line a question
            print(len(tracker.told(scheme=line.strip())), flush=True)


class HttpProxy:
    """CONNECT, and plain requests with an absolute URL; wants a password."""

    def __init__(self):
        self.seen = []
        self.door = socket.socket()
        self.door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.door.bind((INSIDE, 3128))
        self.door.listen(64)

    def forever(self):
        while True:
            threading.Thread(target=self.one, args=(self.door.accept()[0],), daemon=True).start()

    def one(self, c):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            got = c.recv(1)
            if not got:
                return
            head += got
        first = head.split(b"\r\n")[0].decode()
        if b"Proxy-Authorization: Basic bWU6c2VjcmV0" not in head:
            c.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return c.close()
        print(first.split()[0], flush=True)
        if first.startswith("CONNECT "):
            host, _, port = first.split()[1].rpartition(":")
        else:
            host, _, port = first.split()[1].split("/")[2].partition(":")
        try:
            s = socket.create_connection((host, int(port or 80)), 5)
        except OSError:
            c.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return c.close()
        if first.startswith("CONNECT "):
            c.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            s.sendall(head)
        for a, b in ((c, s), (s, c)):
            threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    @staticmethod
    def pump(a, b):
        try:
            while got := a.recv(65536):
                b.sendall(got)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Nets:
    def __init__(self, work):
        self.work = work
        self.source = os.path.join(work, "source")
        self.content = os.path.join(self.source, "content")
        tree(self.content, {"a": 2_000_003, "b/c": 70_000}, 11)
        self.home, self.middle, self.far = Space(), Space(HOSTS), Space()
        join(self.home, HOME + "/24", self.middle, INSIDE + "/24")
        join(self.middle, OUTSIDE + "/24", self.far, WORLD + "/24")
        self.home.sink()
        self.running = []

    def torrent(self, *more):
        path = os.path.join(tempfile.mkdtemp(dir=self.work), "t.torrent")
        subprocess.run([Shoal.program, "create", self.content, "-o", path, "--piece-size", "32K", "--quiet", *more],
                       check=True)
        return path

    def begin(self):
        plain = self.torrent()
        self.world = self.far.start([PYTHON, __file__, "world", plain, self.source, self.source],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.running.append(self.world)
        self.http, self.udp = map(int, self.world.stdout.readline().split())
        self.dante_log = os.path.join(self.work, "dante.log")
        for port, more in ((1080, ""), (1081, "command: connect")):
            conf = os.path.join(self.work, f"dante{port}.conf")
            with open(conf, "w") as f:
                f.write(DANTE.format(inside=INSIDE, outside=OUTSIDE, port=port, more=more))
            self.running.append(self.middle.start(["danted", "-f", conf, "-N", "2", "-p", conf + ".pid"],
                                                  stdout=open(self.dante_log, "a"), stderr=subprocess.STDOUT))
        self.found = self.torrent("--comment", "known to the DHT alone")
        for port, args in ((DHT, ["dht", "node", "--every", "1"]), (DHT_SEED, ["seed", self.found, "-d", self.source])):
            argv = [Shoal.program, *args, "--listen", f"{WORLD}:{port}", "--dht-node", f"{WORLD}:{DHT}", "--no-lsd",
                    "--no-portmap", "--no-trackers", "--quiet", "--state", os.path.join(self.work, f"dht{port}")]
            self.running.append(self.far.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        self.http_log = os.path.join(self.work, "http.log")
        self.running.append(self.middle.start([PYTHON, __file__, "http"], stdout=open(self.http_log, "w")))
        for port in (1080, 1081, 3128):
            wait(lambda p=port: self.answers(p), f"the proxy at port {port} is up", self)

    def answers(self, port):
        return self.home.start(["bash", "-c", f"exec 3<>/dev/tcp/{INSIDE}/{port}"],
                               stderr=subprocess.DEVNULL).wait() == 0

    def dht(self, *args):
        """`shoal dht ...` at home: how it ends, and what it says."""
        state = tempfile.mkdtemp(dir=self.work)
        p = self.home.start([Shoal.program, "dht", *args, "--state", state, "--timeout", "6"], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = p.communicate(timeout=20)
        return p.returncode, out, err

    def asked(self, scheme):
        self.world.stdin.write(scheme + "\n")
        self.world.stdin.flush()
        return int(self.world.stdout.readline())

    def get(self, torrent, *args):
        """A shoal at home."""
        program, folder = Shoal.program, tempfile.mkdtemp(dir=self.work)

        class AtHome(Shoal):
            def __init__(me):
                os.makedirs(folder + "/w", exist_ok=True)
                me.log, me.out = folder + "/log", open(folder + "/events", "wb")
                me.process = self.home.start([program, "get", torrent, "-o", folder + "/copy", "--json", "--state",
                                              folder + "/state", *args], stdout=me.out, stderr=open(me.log, "wb"))
        return AtHome(), folder + "/copy"

    def why(self):
        return open(self.dante_log, errors="replace").read()[-2000:]

    def end(self):
        for p in self.running:
            p.kill()
            p.wait()
        for space in (self.home, self.middle, self.far):
            space.__exit__()


SOCKS, HTTP = f"socks5://{INSIDE}:1080", f"http://me:secret@{INSIDE}:3128"


def fetch(nets, torrent, *args):
    mine, copy = nets.get(torrent, *args)
    try:
        wait(lambda: mine.last("complete"), "shoal fetches through the proxy", mine, nets)
        listen = mine.last("started")["listen"]
        assert listen == [], f"it listens on {listen}, though nobody said so"
    finally:
        mine.stop()
    assert digests(os.path.join(copy, "content")) == digests(nets.content), "the copy differs"


def a_peer(nets, proxy):
    fetch(nets, nets.torrent(), "--proxy", proxy, "--peer", f"{WORLD}:7001", "--timeout", "60")


def a_peer_by_name(nets, proxy):
    fetch(nets, nets.torrent(), "--proxy", proxy, "--peer", "world.test:7001", "--timeout", "60")


def an_http_tracker(nets, proxy):
    before = nets.asked("http")
    fetch(nets, nets.torrent("--tracker", f"http://world.test:{nets.http}/announce"), "--proxy", proxy, "--tracker",
          f"http://world.test:{nets.http}/announce", "--timeout", "60")
    assert nets.asked("http") > before


def a_udp_tracker(nets, proxy, host=WORLD):
    before = nets.asked("udp")
    fetch(nets, nets.torrent(), "--proxy", proxy, "--tracker", f"udp://{host}:{nets.udp}/announce",
          "--timeout", "60")
    assert nets.asked("udp") > before


def a_udp_tracker_by_name(nets, proxy):
    a_udp_tracker(nets, proxy, "world.test")


def a_web_seed(nets, proxy):
    fetch(nets, nets.torrent("--webseed", "http://world.test:8000/"), "--proxy", proxy, "--webseed",
          "http://world.test:8000/", "--timeout", "60")


def the_dht(nets, proxy, host=WORLD):
    """Which only it knows who has: the look comes back, and the two in the world never hear of anybody at home."""
    where = ["--proxy", proxy, "--dht-node", f"{host}:{DHT}"]
    digest = subprocess.run([Shoal.program, "show", nets.found], capture_output=True, text=True, check=True).stdout
    digest = next(line.split()[-1] for line in digest.splitlines() if line.split()[:1] == ["v1"])
    end = time.monotonic() + 20
    while time.monotonic() < end:
        code, out, err = nets.dht("get-peers", digest, *where)
        if code == 0:
            break
    assert out.split() == [f"{WORLD}:{DHT_SEED}"], f"{code}: {out}{err}"
    fetch(nets, digest, *where, "--timeout", "60")
    code, out, err = nets.dht("get-peers", digest, *where)
    assert out.split() == [f"{WORLD}:{DHT_SEED}"], f"who fetched was announced: {out}{err}"
    text = "so long that a node wants to know where it goes " * 16
    code, out, err = nets.dht("put", text, *where)
    assert code == 0, err
    code, out, err = nets.dht("get", out.split()[0], *where)
    assert code == 0 and out.strip().startswith(text[:60]), f"{code}: {out}{err}"
    for args in (["node"], ["get-peers", digest, "--announce"]):
        assert nets.dht(*args, *where)[0] == 6, args


def the_dht_by_name(nets, proxy):
    the_dht(nets, proxy, "world.test")


def no_dht(nets, proxy, words, code=6):
    """What cannot be is said, and not done another way."""
    got, out, err = nets.dht("get-peers", "a" * 40, "--proxy", proxy, "--dht-node", f"{WORLD}:{DHT}")
    assert got == code and (words in err or code == 5), f"{got}: {out}{err}"
    mine, _ = nets.get("a" * 40, "--proxy", proxy, "--dht-node", f"{WORLD}:{DHT}", "--timeout", "3")
    try:
        mine.process.wait(15)
    finally:
        mine.stop()
    assert any(words in e["what"] for e in mine.events() if e["event"] == "warning"), mine.why()


def no_dht_over_http(nets, proxy):
    no_dht(nets, proxy, "carries no datagrams")


def no_dht_where_socks_takes_no_datagrams(nets, proxy):
    no_dht(nets, proxy.replace("1080", "1081"), "the proxy carries no datagrams", 5)


def no_proxy_no_way(nets, proxy):
    """The proxy is not there: nothing is fetched, and nothing goes around it."""
    dead = proxy.replace(":1080", ":9").replace(":3128", ":9")
    mine, _ = nets.get(nets.torrent("--tracker", f"udp://world.test:{nets.udp}/announce"), "--proxy", dead,
                       "--peer", f"{WORLD}:7001", "--peer", "world.test:7001", "--tracker",
                       f"http://{WORLD}:{nets.http}/announce", "--tracker", f"udp://{WORLD}:{nets.udp}/announce",
                       "--timeout", "4")
    try:
        code = mine.process.wait(15)
    finally:
        mine.stop()
    assert code == 5, f"exit code {code}"
    assert any("proxy" in str(e) for e in mine.events() if e["event"] == "warning"), mine.why()


def the_count_has_teeth(nets, proxy):
    """Without the proxy the same program is seen."""
    before = nets.home.sent("sink")
    mine, _ = nets.get(nets.torrent(), "--peer", "8.8.8.8:7001", "--no-lsd", "--timeout", "2", "--listen",
                       f"{HOME}:7002")
    try:
        mine.process.wait(15)
    finally:
        mine.stop()
    assert nets.home.sent("sink") > before


CASES = [("SOCKS5", SOCKS, f) for f in (a_peer, a_peer_by_name, an_http_tracker, a_udp_tracker, a_udp_tracker_by_name,
                                        a_web_seed, the_dht, the_dht_by_name, no_dht_where_socks_takes_no_datagrams,
                                        no_proxy_no_way)] + \
        [("HTTP", HTTP, f) for f in (a_peer, a_peer_by_name, an_http_tracker, a_web_seed, no_dht_over_http,
                                     no_proxy_no_way)] + \
        [("none", "", the_count_has_teeth)]


def one(nets, kind, proxy, case):
    before = nets.home.sent("sink")
    case(nets, proxy)
    leaked = nets.home.sent("sink") - before
    assert kind == "none" or leaked == 0, f"{leaked} packets went around the proxy"


def main():
    if shutil.which("danted") is None:
        skip("danted is not installed: tools/setup does that")
    cases = Cases()
    with scratch("proxy") as work:
        os.chmod(work, 0o755)
        nets = Nets(work)
        try:
            nets.begin()
            for kind, proxy, case in CASES:
                cases.run(f"{kind}: {case.__name__}", one, nets, kind, proxy, case)
        finally:
            nets.end()
    sys.exit(cases.end())


if len(sys.argv) > 1 and sys.argv[1] == "world":
    world(*sys.argv[2:])
elif len(sys.argv) > 1 and sys.argv[1] == "http":
    HttpProxy().forever()
else:
    main()
