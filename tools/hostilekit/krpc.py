"""krpc.py - nodes of a DHT for the cases: honest ones that make a town, and one that says what a case tells it to.

Nodes are sockets of one thread. What a node answers goes through its hook, if it has one: hook(node, method, args, from_,
honest) gives the reply as a dictionary, the raw bytes to send, None for silence, or `honest`, which is the truth.
"""
import hashlib
import os
import select
import socket
import struct
import threading
import time

from wire import Unexpected, bdecode, bencode

PORT = 7001


def compact(place):
    return socket.inet_aton(place[0]) + struct.pack(">H", place[1] & 0xffff)


def apart(a, b):
    return int.from_bytes(a, "big") ^ int.from_bytes(b, "big")


def query(method, tid=b"aa", **args):
    """A question's bytes; `ro` among the arguments is the message's own."""
    ro = {"ro": args.pop("ro")} if "ro" in args else {}
    return bencode({"a": {"id": b"h" * 20, **args}, "q": method, "t": tid, "y": "q", **ro})


class Node:
    """One node: a socket, an id, whom it knows, who has what, and what was put there."""

    def __init__(self, address, port=PORT, id=None, hook=None):
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.s.bind((address, port))
        self.place = self.s.getsockname()
        self.id, self.hook = id or os.urandom(20), hook
        self.known, self.peers, self.items = [], {}, {}
        self.asked = []       # (method, args, from) of questions to us
        self.answers = {}     # by transaction, of our own questions
        self.heard = 0        # bytes that came
        self.deaf = False     # answers nobody
        self.tid = None       # of the question at hand, for hooks that write the message themselves

    def row(self):
        return self.id + compact(self.place)

    def closest(self, target):
        return b"".join(sorted(self.known, key=lambda r: apart(r[:20], target))[:8])

    def honest(self, method, args):
        target = args.get(b"target") or args.get(b"info_hash") or self.id
        r = {"id": self.id}
        if method in ("find_node", "get_peers", "get"):
            r["nodes"] = self.closest(target)
        if method in ("get_peers", "get"):
            r["token"] = b"token"
        if method == "get_peers" and target in self.peers:
            r["values"] = [compact(p) for p in self.peers[target]]
        if method == "get" and target in self.items:
            r.update(self.items[target])
        return r

    def heed(self, data, from_):
        self.heard += len(data)
        try:
            m = bdecode(data)[0]
            if m[b"y"] != b"q":
                self.answers[m[b"t"]] = m
                return
            method, args, tid = m[b"q"].decode(), m[b"a"], m[b"t"]
            self.tid = tid
        except (ValueError, KeyError, TypeError):
            return
        self.asked.append((method, args, from_))
        if self.deaf:
            return
        said = self.honest(method, args)
        if self.hook:
            said = self.hook(self, method, args, from_, said)
        if isinstance(said, dict):
            said = bencode({"r": said, "t": tid, "y": "r"})
        if said is not None:
            self.send(said, from_)

    def send(self, data, to):
        try:
            self.s.sendto(data, to)
        except OSError:
            pass

    def ask(self, to, method, within=2.0, **args):
        """The answer, as {b"r": ...} or {b"e": ...}; None when there is none."""
        tid = os.urandom(4)
        return self.ask_raw(to, query(method, tid, **{"id": self.id, **args}), tid, within)

    def ask_raw(self, to, data, tid, within=2.0):
        self.send(data, to)
        end = time.monotonic() + within
        while tid not in self.answers:
            if time.monotonic() > end:
                return None
            time.sleep(0.005)
        return self.answers.pop(tid)

    def need(self, to, method, within=5.0, **args):
        """The same, asked until it comes (packets may be lost): the `r` of the answer."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            got = self.ask(to, method, 1.0, **args)
            if got and b"r" in got:
                return got[b"r"]
            if got:
                raise Unexpected(f"{method}: refused with {got.get(b'e')}")
        raise Unexpected(f"{method}: no answer within {within:.0f} s")

    def code(self, to, method, within=5.0, **args):
        """The number of the refusal; 0: it was taken."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            got = self.ask(to, method, 1.0, **args)
            if got:
                return got[b"e"][0] if b"e" in got else 0
        raise Unexpected(f"{method}: no answer within {within:.0f} s")


class Town:
    """All nodes of a case, and the thread that listens for them."""

    def __init__(self):
        self.nodes, self.open = [], True
        self.thread = threading.Thread(target=self._run, daemon=True)

    def add(self, *args, **kw):
        node = Node(*args, **kw)
        self.nodes.append(node)
        if len(self.nodes) == 1:
            self.thread.start()
        return node

    def acquaint(self):
        """Everybody knows everybody."""
        for n in self.nodes:
            n.known = [m.row() for m in self.nodes if m is not n]

    def _run(self):
        while self.open:
            by, poll = {n.s.fileno(): n for n in list(self.nodes)}, select.poll()  # select() ends at descriptor 1,023
            for fd in by:
                poll.register(fd, select.POLLIN)
            for fd, _ in poll.poll(50):
                try:
                    by[fd].heed(*by[fd].s.recvfrom(65536))
                except OSError:
                    pass

    def stop(self):
        self.open = False
        if self.nodes:
            self.thread.join(2)
        for n in self.nodes:
            n.s.close()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def earned_id(address, rest=None):
    """An id that the address has earned (BEP 42)."""
    id_ = bytearray(rest or os.urandom(20))
    ip = [a & m for a, m in zip(socket.inet_aton(address), (0x03, 0x0f, 0x3f, 0xff))]
    ip[0] |= (id_[19] & 7) << 5
    crc = crc32c(bytes(ip))
    id_[0], id_[1], id_[2] = crc >> 24, crc >> 16 & 255, crc >> 8 & 0xf8 | id_[2] & 7
    return bytes(id_)


def signed_text(seq, v, salt=b""):
    """What a signature of an item covers (BEP 44); `v` is bencoded."""
    return (b"4:salt" + bencode(salt) if salt else b"") + b"3:seqi%de1:v" % seq + v


def target_of(key, salt=b""):
    return hashlib.sha1(key + salt).digest()
