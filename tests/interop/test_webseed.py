"""test_webseed.py - web seeds over real sockets: nginx in every format and shape, and servers that lie, each in a way of its own.

Exits 1 on any failure, 77 where no closed namespace can be had or nginx is not installed. Addresses of all
kinds are put on the namespace's own lo, so that "out there" and "in here" both lead nowhere else.
"""
import os
import subprocess
import sys
import time

import closed

closed.enter()
from cases import Cases, scratch  # noqa: E402
from swarmkit import Shoal, digests, tree, wait  # noqa: E402
from webkit import NGINX, Nginx, Server  # noqa: E402

if NGINX is None:
    print("test_webseed: SKIPPED: nginx is not installed (tools/setup installs it)", file=sys.stderr)
    sys.exit(77)

MANY = {"a/big.bin": 3_000_001, "a/b/empty": 0, "a/b/one": 1, "odd \u00fc name%2f+?#&": 40_000, "small": 999,
        "exact": 256 * 1024, "z/last": 16 * 1024 + 1}
ONE = 5_000_003
HERE_IP, LAN, OUT, META = "127.0.0.1", "10.9.8.7", "11.22.33.44", "169.254.169.254"


class Place:
    """A folder with content, a torrent of it, and what runs around it."""

    def __init__(self, work, name, form="v2", shape="one", webseeds=()):
        self.work = os.path.join(work, name.replace(" ", "_").replace("/", "_"))
        self.root = os.path.join(self.work, "root")
        self.content = os.path.join(self.root, "content")
        os.makedirs(self.root)
        if shape == "one":
            tree(self.root, {"content": ONE}, 7)
        else:
            tree(self.content, MANY, 8)
        self.torrent = os.path.join(self.work, "t.torrent")
        args = [a for url in webseeds for a in ("--webseed", url)]
        subprocess.run([Shoal.program, "create", self.content, "-o", self.torrent, "--format", form, "--piece-size",
                        "64K", "--quiet", *args], check=True)
        self.running = []

    def start(self, thing):
        self.running.append(thing)
        return thing

    def nginx(self, port=8080, address=HERE_IP):
        return self.start(Nginx(self.work + f"/nginx{port}", self.root, address, port))

    def server(self, answer, port=8081, address=HERE_IP, **how):
        return self.start(Server(self.root, address, port, answer, **how))

    def get(self, *args, source=None, name="get"):
        return self.start(Shoal(f"{self.work}/{name}", "get", source or self.torrent, "-o", f"{self.work}/copy",
                                "--listen", f"{HERE_IP}:7002", *args))

    def complete(self, shoal):
        wait(lambda: shoal.process.poll() is not None, "shoal ends", shoal)
        assert shoal.process.returncode == 0, f"exit {shoal.process.returncode}\n{shoal.why()}"
        assert digests(self.content) == digests(self.work + "/copy/content"), "the copy differs"
        return shoal.last("summary")

    def stop(self):
        for thing in reversed(self.running):
            thing.stop()


def warned(shoal, *words):
    for e in shoal.events():
        if e["event"] == "warning" and all(w in str(e) for w in words):
            return True
    raise AssertionError(f"no warning with {words}\n{shoal.why()}")


# ---- nginx ----------------------------------------------------------------------------------------

def alone(place, url):
    server = place.nginx()
    shoal = place.get("--webseed", url)
    told = place.complete(shoal)
    seen = server.seen()
    size = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(place.root) for f in fs)
    assert {s for s, _, _ in seen} <= {200, 206}, seen
    assert sum(b for _, b, _ in seen) == size, (seen, size)
    assert told["downloaded"] == size and told["wasted"] == 0, told
    mine = [p for p in told["peers"] if p["client"] == "web seed"]
    assert [p["got"] for p in mine] == [size] and mine[0]["addr"] == "127.0.0.1:8080", told


def beside_a_peer(place):
    place.nginx()
    seed = place.start(Shoal(place.work + "/seed", "seed", place.torrent, "-d", place.root, "--listen", "127.0.0.1:7001",
                             "--up", "2M"))
    wait(lambda: seed.last("started"), "the seed starts", seed)
    link = subprocess.run([Shoal.program, "magnet", place.torrent], check=True, capture_output=True,
                          text=True).stdout.strip()
    shoal = place.get("--peer", "127.0.0.1:7001", "--webseed", "http://127.0.0.1:8080/", source=link)
    told = place.complete(shoal)
    assert any(p["client"] == "web seed" and p["got"] > 0 for p in told["peers"]), told


def named_by_the_torrent(place):
    """A private address counts as a neighbour's, and so it is asked, though only the torrent names it."""
    place.nginx(address=LAN)
    place.complete(place.get())


def named_by_the_link(place):
    place.nginx(address=LAN)
    seed = place.start(Shoal(place.work + "/seed", "seed", place.torrent, "-d", place.root, "--listen", "127.0.0.1:7001",
                             "--up", "64K"))
    wait(lambda: seed.last("started"), "the seed starts", seed)
    link = subprocess.run([Shoal.program, "magnet", place.torrent], check=True, capture_output=True,
                          text=True).stdout.strip() + f"&ws=http%3A%2F%2F{LAN}%3A8080%2F"
    told = place.complete(place.get("--peer", "127.0.0.1:7001", source=link))
    assert any(p["client"] == "web seed" and p["got"] > ONE // 2 for p in told["peers"]), told


# ---- liars: beside a good server that takes its time, so that there is something to lie about --------

def slowly(q):
    time.sleep(0.3)
    q.good()
    return True


def liar(place, answer, *words, most=12, **how):
    bad = place.server(answer, **how)
    place.server(slowly, port=8082)
    scheme = "https" if how.get("tls") else "http"
    shoal = place.get("--webseed", f"{scheme}://127.0.0.1:8081/", "--webseed", "http://127.0.0.1:8082/")
    told = place.complete(shoal)
    if words:
        warned(shoal, "127.0.0.1:8081", *words)
    assert len(bad.questions) <= most, f"asked {len(bad.questions)} times"
    return shoal, bad, told


def false_bytes(place):
    def answer(q):
        q.good(lambda body: bytes(b ^ 1 for b in body[:2000]) + body[2000:])
        return True
    shoal, _, told = liar(place, answer)
    banned = shoal.last("peer_banned")
    assert banned and banned["addr"] == "127.0.0.1:8081", shoal.why()
    assert told["hash_failures"] >= 1


def no_ranges(place):
    def answer(q):
        q.head(200, Content_Length=len(q.data))
        q.send(q.data)
        return True
    _, bad, _ = liar(place, answer, "does not serve ranges", most=1)
    assert bad.sent < ONE + 1000


def short_bodies(place):
    _, _, told = liar(place, lambda q: q.good(lambda body: body[:len(body) * 2 // 3]), most=40)
    assert told["wasted"] < ONE // 4, told


def another_range(place):
    def answer(q):
        a, b = q.range
        q.head(206, Content_Length=b - a, Content_Range=f"bytes {a + 16384}-{b + 16383}/{ONE}")
        q.send(q.data[a:b])
        return True
    liar(place, answer, "another range", most=2)


def no_content_range(place):
    def answer(q):
        a, b = q.range
        q.head(206, Content_Length=b - a)
        q.send(q.data[a:b])
        return True
    liar(place, answer, "another range", most=2)


def two_content_ranges(place):
    def answer(q):
        a, b = q.range
        q.send(f"HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/{ONE}\r\nContent-Range: bytes {a}-{b - 1}/{ONE}\r\n"
               f"Content-Length: {b - a}\r\n\r\n".encode() + q.data[a:b])
        return True
    liar(place, answer, "another range", most=2)


def another_size(place):
    def answer(q):
        a, b = q.range
        q.head(206, Content_Length=b - a, Content_Range=f"bytes {a}-{b - 1}/{ONE + 1}")
        q.send(q.data[a:b])
        return True
    liar(place, answer, "another size", most=2)


def more_than_asked(place):
    def answer(q):
        a, b = q.range
        q.head(206, Connection="close", Content_Range=f"bytes {a}-{b - 1}/{ONE}")
        q.send(q.data[a:b])
        for _ in range(4096):
            q.send(bytes(65536))
    _, bad, _ = liar(place, answer, most=4)
    assert bad.sent < 40 << 20, f"{bad.sent} bytes were taken"


def busy(place):
    def answer(q):
        q.head(503, Content_Length=0, Retry_After=60)
        return True
    liar(place, answer, "HTTP 503", "60 s", most=1)


def not_there(place):
    def answer(q):
        q.head(404, Content_Length=9)
        q.send(b"not there")
        return True
    liar(place, answer, "HTTP 404", most=2)


def endless_headers(place):
    def answer(q):
        q.send(b"HTTP/1.1 206 X\r\n")
        for i in range(1 << 20):
            q.send(b"X-Header-%d: %s\r\n" % (i, b"x" * 900))
    _, bad, _ = liar(place, answer, "headers", most=2)
    assert bad.sent < 16 << 20, f"{bad.sent} bytes were taken"


def endless_continue(place):
    def answer(q):
        for _ in range(1 << 20):
            q.send(b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 500 + b"\r\n\r\n")
    _, bad, _ = liar(place, answer, "headers", most=2)
    assert bad.sent < 16 << 20


def slow(place):
    """One byte a second: the other server gives its blocks too, long before it is given up."""
    def answer(q):
        a, b = q.range
        q.head(206, Content_Length=b - a, Content_Range=f"bytes {a}-{b - 1}/{ONE}")
        for i in range(a, b):
            q.send(q.data[i:i + 1])
            time.sleep(1)
    began = time.monotonic()
    liar(place, answer, most=4)  # on a busy host all its connections, before it has shown what it is; and never again
    assert time.monotonic() - began < 30  # a range has 60 s and more


def says_nothing(place):
    began = time.monotonic()
    liar(place, lambda q: time.sleep(30), most=2)
    assert time.monotonic() - began < 14


def garbage(place):
    liar(place, lambda q: q.send(os.urandom(3000)), most=8)


def hangs_up(place):
    liar(place, lambda q: None, most=8)


def self_signed(place):
    pem = place.work + "/pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", pem, "-out", pem + ".crt",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   stderr=subprocess.DEVNULL)
    with open(pem, "ab") as f:
        f.write(open(pem + ".crt", "rb").read())
    _, bad, _ = liar(place, lambda q: q.good(), "certificate", tls=pem)
    assert not bad.questions


# ---- where a server may send us ----------------------------------------------------------------------

def redirect_to(url):
    def answer(q):
        q.head(302, Content_Length=0, Location=url if isinstance(url, str) else url(q))
        return True
    return answer


def to_a_mirror(place):
    place.nginx()
    place.server(redirect_to(lambda q: "http://127.0.0.1:8080" + q.path))
    place.complete(place.get("--webseed", "http://127.0.0.1:8081/"))


def round_and_round(place):
    liar(place, redirect_to(lambda q: "/" + q.path.lstrip("/") + "x"), "redirects without end", most=5)


def to_a_file(place):
    liar(place, redirect_to("file:///etc/passwd"), "redirects", most=1)


def to_another_scheme(place):
    liar(place, redirect_to("gopher://127.0.0.1:8082/x"), "redirects", most=1)


def from_out_there_to_in_here(place):
    """A global server, named by the user himself, may not lead us to this host."""
    inside = place.server(slowly, port=8083)
    place.server(redirect_to(lambda q: "http://127.0.0.1:8083" + q.path), address=OUT)
    place.server(slowly, port=8082)
    shoal = place.get("--webseed", f"http://{OUT}:8081/", "--webseed", "http://127.0.0.1:8082/")
    place.complete(shoal)
    warned(shoal, OUT, "this host or its neighbours")
    assert inside.connections == 0


def named_by_a_stranger(place):
    """The torrent names this host, in a few of its many spellings, and the place where clouds keep their secrets."""
    inside = place.server(slowly, port=8083)
    secrets = place.server(slowly, port=8083, address=META)
    place.server(slowly, port=8082)
    place.complete(place.get("--webseed", "http://127.0.0.1:8082/"))
    assert inside.connections == 0 and secrets.connections == 0


def a_warm_connection_asks_no_less(place):
    """The user's own URL opens a connection to this host; the torrent's, to the same host, may not ride on it."""
    asked = []

    def answer(q):
        asked.append(q.path)
        return slowly(q)
    place.server(answer, port=8083)
    place.complete(place.get("--webseed", "http://127.0.0.1:8083/"))
    assert asked and not any("/elsewhere" in path for path in asked), asked


STRANGE = [f"http://127.0.0.1:8083/{i}/" for i in range(2)] + [
    "http://localhost:8083/", "http://localhost.:8083/", "http://[::1]:8083/", "http://[::ffff:127.0.0.1]:8083/",
    "http://127.1:8083/", "http://0x7f.0.0.1:8083/", "http://2130706433:8083/", "http://0177.0.0.1:8083/",
    "http://0.0.0.0:8083/", "http://[::]:8083/", f"http://{META}:8083/", "http://127.0.0.2:8083/",
    "http://user@127.0.0.1:8083/", "http://[64:ff9b::7f00:1]:8083/"]

CASES = [(f"nginx {form} {shape} {url[21:] or '-'}", alone, dict(form=form, shape=shape), (url,))
         for form in ("v1", "v2", "hybrid")
         for shape, url in (("one", "http://127.0.0.1:8080/"), ("one", "http://127.0.0.1:8080/content"),
                            ("many", "http://127.0.0.1:8080/"), ("many", "http://127.0.0.1:8080"))]
CASES += [(f"nginx and a peer {form}", beside_a_peer, dict(form=form, shape="many"), ()) for form in ("v1", "v2", "hybrid")]
CASES += [("named by the torrent", named_by_the_torrent, dict(webseeds=[f"http://{LAN}:8080/"]), ()),
          ("named by the link", named_by_the_link, dict(form="hybrid"), ())]
CASES += [(f.__name__.replace("_", " "), f, {}, ()) for f in (
    false_bytes, no_ranges, short_bodies, another_range, no_content_range, two_content_ranges, another_size,
    more_than_asked, busy, not_there, endless_headers, endless_continue, slow, says_nothing, garbage, hangs_up,
    self_signed, to_a_mirror, round_and_round, to_a_file, to_another_scheme, from_out_there_to_in_here)]
CASES += [("named by a stranger", named_by_a_stranger, dict(webseeds=STRANGE), ()),
          ("a warm connection", a_warm_connection_asks_no_less, dict(webseeds=["http://127.0.0.1:8083/elsewhere/"]), ())]


def one(run, work, name, how, args):
    place = Place(work, name, **how)
    try:
        run(place, *args)
    finally:
        place.stop()


def main():
    for address in (LAN, OUT, META):
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    cases = Cases()
    with scratch("webseed") as work:
        for name, run, how, args in CASES:
            cases.run(name, one, run, work, name, how, args)
    sys.exit(cases.end())


main()
