"""A tracker for tests: HTTP and UDP, IPv4 and IPv6, honest or not, with a log of everything it was told.

    with Tracker() as t:
        t.url("udp", 4)               # udp://127.0.0.1:PORT/announce
        t.log                         # one dict for each announce
        t.scrapes                     # (scheme, info hash) of each scrape (BEP 48)
        t.answer = lambda ask: ...    # instead of the honest answer: a dict, bytes to send as they are, None: silence

Everything binds to loopback, on ports of its own.
"""
import http.server
import ipaddress
import os
import socket
import struct
import threading
import time
import urllib.parse

EVENTS = {0: "", 1: "completed", 2: "started", 3: "stopped"}
MAGIC = 0x41727101980


def bencode(v):
    if isinstance(v, int):
        return b"i%de" % v
    if isinstance(v, str):
        v = v.encode()
    if isinstance(v, bytes):
        return b"%d:%s" % (len(v), v)
    if isinstance(v, list):
        return b"l" + b"".join(map(bencode, v)) + b"e"
    return b"d" + b"".join(bencode(k) + bencode(v[k]) for k in sorted(v)) + b"e"


def compact(peers, version):
    return b"".join(ipaddress.ip_address(ip).packed + struct.pack(">H", port) for ip, port in peers
                    if ipaddress.ip_address(ip).version == version)


class Tracker:
    def __init__(self, v4="127.0.0.1", v6="::1", interval=1800, dicts=False):
        self.v4, self.v6, self.interval, self.dicts = v4, v6, interval, dicts
        self.swarms = {}  # info hash -> {(ip, port): left}
        self.log, self.scrapes = [], []
        self.finished = {}  # info hash -> how many have said so
        self.connects = 0  # TCP connections, and datagrams of any kind
        self.answer = None
        self.lock = threading.Lock()
        self.secret = os.urandom(8)
        self.ports, self.open = {}, []
        self.going = True

    # ---- what a tracker does ----------------------------------------------------------
    def announce(self, ask):
        """The honest answer: who else is there, of the asker's own family."""
        with self.lock:
            self.log.append(ask)
            swarm = self.swarms.setdefault(ask["info_hash"], {})
            me = (ask["ip"], ask["port"])
            if ask["event"] == "stopped":
                swarm.pop(me, None)
            else:
                swarm[me] = ask["left"]
            if ask["event"] == "completed":
                self.finished[ask["info_hash"]] = self.finished.get(ask["info_hash"], 0) + 1
            version = ipaddress.ip_address(ask["ip"]).version
            peers = [p for p in swarm if p != me and ipaddress.ip_address(p[0]).version == version]
            seeds = sum(left == 0 for left in swarm.values())
            return {"interval": self.interval, "peers": peers[:50 if ask["numwant"] < 0 else ask["numwant"]],
                    "seeds": seeds,
                    "leeches": len(swarm) - seeds}

    def answered(self, ask):
        honest = self.announce(ask)
        return self.answer(ask) if self.answer else honest

    def scrape(self, scheme, info_hash):
        """(seeds, completed, leeches); None: never heard of it."""
        with self.lock:
            self.scrapes.append((scheme, info_hash))
            swarm = self.swarms.get(info_hash)
            if swarm is None:
                return None
            seeds = sum(left == 0 for left in swarm.values())
            return seeds, self.finished.get(info_hash, 0), len(swarm) - seeds

    def told(self, **want):
        """Announces that said all of this."""
        with self.lock:
            return [a for a in self.log if all(a[k] == v for k, v in want.items())]

    def url(self, scheme, version, path="/announce"):
        host = self.v4 if version == 4 else f"[{self.v6}]"
        return f"{scheme}://{host}:{self.ports[scheme, version]}{path}"

    # ---- HTTP -------------------------------------------------------------------------
    def http(self, version):
        tracker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                parts = urllib.parse.urlsplit(self.path)
                if parts.path.rsplit("/", 1)[-1] == "scrape":
                    return self.send(200, tracker.http_scraped(parts.query))
                q = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True, encoding="latin-1"))
                ask = {"scheme": "http", "family": version, "path": self.path, "ip": self.client_address[0],
                       "headers": dict(self.headers)}
                for key in ("port", "uploaded", "downloaded", "left", "numwant"):
                    ask[key] = int(q.get(key, -1 if key == "numwant" else 0))
                for key in ("info_hash", "peer_id"):
                    ask[key] = q.get(key, "").encode("latin-1")
                ask["key"], ask["event"] = q.get("key"), q.get("event", "")
                reply = tracker.answered(ask)
                if reply is None:
                    self.close_connection = True
                    return
                status, body = 200, reply
                if isinstance(reply, tuple):
                    status, body = reply
                if isinstance(body, dict):
                    body = tracker.http_body(body)
                self.send(status, body)

            def send(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # the asker has gone

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET if version == 4 else socket.AF_INET6
            daemon_threads = True
            request_queue_size = 128

            def server_bind(self):  # without the look-up of our own name
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.socket.bind(self.server_address)
                self.server_address = self.socket.getsockname()
                self.server_name, self.server_port = "tracker", self.server_address[1]

            def process_request(self, request, address):
                with tracker.lock:
                    tracker.connects += 1
                super().process_request(request, address)

        server = Server((self.v4 if version == 4 else self.v6, 0), Handler)
        self.ports["http", version] = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.open.append(lambda: (server.shutdown(), server.server_close()))

    def http_scraped(self, query):
        files = {}
        for key, value in urllib.parse.parse_qsl(query, encoding="latin-1"):
            counts = self.scrape("http", value.encode("latin-1")) if key == "info_hash" else None
            if counts:
                files[value.encode("latin-1")] = dict(zip(("complete", "downloaded", "incomplete"), counts))
        return b"d5:filesd" + b"".join(bencode(k) + bencode(files[k]) for k in sorted(files)) + b"ee"

    def http_body(self, a):
        if "raw" in a:
            return bencode(a["raw"])
        out = {"interval": a["interval"], "complete": a["seeds"], "incomplete": a["leeches"]}
        if self.dicts:
            out["peers"] = [{"ip": ip, "port": port, "peer id": b"x" * 20} for ip, port in a["peers"]]
        else:
            out["peers"] = compact(a["peers"], 4)
            out["peers6"] = compact(a["peers"], 6)
        return bencode(out)

    # ---- UDP --------------------------------------------------------------------------
    def udp(self, version):
        s = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        s.bind((self.v4 if version == 4 else self.v6, 0))
        s.settimeout(0.1)
        self.ports["udp", version] = s.getsockname()[1]
        thread = threading.Thread(target=self.udp_loop, args=(s, version), daemon=True)
        thread.start()
        self.open.append(lambda: (thread.join(2), s.close()))

    def connection(self, peer):
        return struct.pack(">Q", hash((self.secret, peer[0], peer[1])) & (2 ** 64 - 1))

    def udp_loop(self, s, version):
        while self.going:
            try:
                data, peer = s.recvfrom(65536)
            except socket.timeout:
                continue
            except OSError:
                return
            with self.lock:
                self.connects += 1
            reply = self.udp_answer(data, peer, version)
            if reply is not None:
                s.sendto(reply, peer)

    def udp_answer(self, data, peer, version):
        if len(data) < 16:
            return None
        head, action, tid = struct.unpack(">QII", data[:16])
        if action == 0 and head == MAGIC:
            if self.answer and self.answer({"connect": True}) is None:
                return None
            return struct.pack(">II", 0, tid) + self.connection(peer)
        if data[:8] != self.connection(peer):
            return struct.pack(">II", 3, tid) + b"connection id"
        if action == 2:
            hashes = [data[i:i + 20] for i in range(16, len(data) - 19, 20)]
            return struct.pack(">II", 2, tid) + b"".join(struct.pack(">III", *(self.scrape("udp", h) or (0, 0, 0))) for h in hashes)
        if action != 1 or len(data) < 98:
            return struct.pack(">II", 3, tid) + b"what?"
        down, left, up, event, _, key, want, port = struct.unpack(">QQQIIIiH", data[56:98])
        path, at = b"", 98
        while at + 1 < len(data) and data[at] > 0:
            if data[at] == 1:
                at += 1
                continue
            if data[at] == 2:
                path += data[at + 2:at + 2 + data[at + 1]]
            at += 2 + data[at + 1]
        reply = self.answered({"scheme": "udp", "family": version, "path": path.decode(), "ip": peer[0], "port": port,
                               "uploaded": up, "downloaded": down, "left": left, "numwant": want,
                               "info_hash": data[16:36], "peer_id": data[36:56], "key": f"{key:08x}",
                               "event": EVENTS.get(event, "?"), "source": peer[1]})
        if reply is None:
            return None
        if isinstance(reply, bytes):
            return reply.replace(b"TTTT", struct.pack(">I", tid))
        return struct.pack(">IIIII", 1, tid, reply["interval"] & 0xffffffff, reply["leeches"],
                           reply["seeds"]) + compact(reply["peers"], version)

    # ---- life -------------------------------------------------------------------------
    def __enter__(self):
        for version in (4, 6):
            self.http(version)
            self.udp(version)
        return self

    def __exit__(self, *_):
        self.going = False
        for close in self.open:
            close()

    def wait(self, seconds, **want):
        end = time.monotonic() + seconds
        while not self.told(**want):
            if time.monotonic() > end:
                raise AssertionError(f"the tracker was never told {want}; it was told {self.log}")
            time.sleep(0.02)
