"""target.py - who is attacked: a program given by address, or one of ours, started for a single case.

Each case that starts its own has addresses, folders and a process of its own, so cases can run side by side and what
goes wrong has one cause. Addresses: the target 127.2.x.y, hostile peers 127.3.x.y and up, the honest 127.9.x.y; in cases
that need addresses of the open network (what is near has no limits of its own) the same under 11, which the namespace
takes for its own.
"""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import wire
from wire import (BLOCK, EXTENDED, HASH_REJECT, HASH_REQUEST, HASHES, HAVE_ALL, OUR_LEAVES, OUR_METADATA, PIECE, REQUEST, Closed, Peer,
                  Unexpected, bdecode, bencode, extended, message, request, words)

PORT = 7000


def rss_of(pid, field="VmHWM"):
    try:
        with open(f"/proc/{pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field)) / 1024
    except (OSError, StopIteration):
        return None


def fds_of(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


class Program:
    """A process whose stdout is JSON lines."""

    def __init__(self, folder, *command, fds=None, env=None):
        os.makedirs(folder, exist_ok=True)
        self.log, self.out = os.path.join(folder, "log"), os.path.join(folder, "events")
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (fds, fds))) if fds else None
        with open(self.out, "wb") as out, open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=out, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=limit,
                                            env={**os.environ, **(env or {})})
        self.pid = self.process.pid
        self.peak = None  # MiB, as last seen while it lived

    def alive(self):
        self.peak = rss_of(self.pid) or self.peak
        return self.process.poll() is None

    def events(self):
        with open(self.out, "rb") as f:
            return [json.loads(line) for line in f.read().split(b"\n")[:-1] if line[:1] == b"{"]

    def last(self, kind):
        return next((e for e in reversed(self.events()) if e["event"] == kind), None)

    def wait(self, kind, within):
        end = time.monotonic() + within
        while time.monotonic() < end:
            seen = self.last(kind)
            if seen:
                return seen
            if not self.alive():
                return self.last(kind)
            time.sleep(0.02)
        return None

    def banned(self):
        """Addresses (without ports) it has said it banned."""
        return [e["addr"].rsplit(":", 1)[0] for e in self.events() if e["event"] == "peer_banned"]

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return "does not stop within 10 s of SIGTERM"
        return None

    def report(self):
        """What a sanitizer of the program's build had to say, if anything."""
        with open(self.log, errors="replace") as f:
            return next((line.strip() for line in f if "Sanitizer" in line or "runtime error:" in line), None)

    def said(self):
        try:
            return open(self.log, errors="replace").read()[-2000:]
        except OSError:
            return ""


def fetch(content, target, source=None, within=30, bits=(wire.EXT_BIT, wire.FAST_BIT), pieces=None):
    """An honest leech: everything (or those pieces), each hash checked. Gives the seconds from the first byte asked for."""
    p = Peer.dial(target, source)
    try:
        p.raw(wire.handshake(content.hash, bits=bits)).read_handshake(within)
        p.unchoked(within)
        todo = [b for b in content.blocks() if pieces is None or b[0] in pieces]
        got, asked, began, end = {}, 0, time.monotonic(), time.monotonic() + within
        while len(got) < len(todo):
            while asked < len(todo) and asked - len(got) < 32:
                p.raw(request(*todo[asked]))
                asked += 1
            came = p.read(end)
            if came is None:
                raise Unexpected(f"an honest peer had {len(got)} of {len(todo)} blocks after {within} s")
            if came[0] == PIECE:
                got[came[1][:8]] = came[1][8:]
            elif came[0] == wire.REJECT or (came[0] == wire.CHOKE):
                p.unchoked(within)
                todo += [b for b in todo[:asked] if words(*b[:2]) not in got][:1] if came[0] == wire.REJECT else []
        for piece in {b[0] for b in todo}:
            data = b"".join(got[words(*b[:2])] for b in content.blocks() if b[0] == piece)
            if not content.right(piece, data):
                raise Unexpected(f"piece {piece} came with a false hash")
        return time.monotonic() - began
    finally:
        p.close()


class Seeder:
    """Somebody who has everything and is dialled by the target. Honest, but for the hooks a case replaces.

    block(piece, begin, data) -> bytes sent as the block; a list: raw messages sent instead; None: nothing.
    hashes(kind, request, truth) -> the same for hash requests (truth: a list of hashes). metadata(i, data) likewise.
    hint(piece, truth) -> it speaks sh_leaves (proto/leaf_hints.h), and says these digests; None: nothing.
    hello(peer): after the handshakes, instead of the usual greeting. busy(peer): called some ten times a second.
    """

    def __init__(self, content, address, port=PORT, bits=None, delay=0.0, peer_id=None, **hooks):
        self.content, self.address, self.delay = content, address, delay
        self.bits = bits or ((wire.EXT_BIT, wire.FAST_BIT) + ((wire.V2_BIT,) if content.v2 else ()))
        self.peer_id = peer_id or wire.new_id()
        self.hooks = hooks
        self.metadata_size = len(content.info)
        self.more_ext = {}     # further extensions it says it has: name, number
        self.greetings = 0
        self.asked = []        # blocks asked of us
        self.hint_asked = []   # pieces of which it was asked for the leaves
        self.hash_asked = []   # hash requests, as (root, base, index, length, proof)
        self.open, self.live = True, []
        self.left = 0          # connections the target has ended
        # (Without a port: one that is only spoken of.)
        self.listener = socket.create_server((address, port), backlog=64) if port else None
        if self.listener:
            threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while self.open:
            try:
                sock = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._talk, args=(Peer(sock),), daemon=True).start()

    def _hook(self, name, *args):
        return self.hooks[name](*args)

    def greet(self, peer):
        m = {"ut_metadata": OUR_METADATA, **({"sh_leaves": OUR_LEAVES} if "hint" in self.hooks else {}), **self.more_ext}
        ext = {"m": m, "metadata_size": self.metadata_size, "reqq": 500, "v": "hostile"}
        peer.raw(extended(0, bencode(ext)) + message(HAVE_ALL) + message(wire.UNCHOKE))

    def _talk(self, peer):
        self.live.append(peer)
        try:
            hash_ = self.content.hash
            peer.read_handshake()
            hash_ = peer.hello[28:48]
            # A hybrid's v1 greeting that can v2 is answered with the v2 hash.
            if self.content.v2 and peer.hello[27] & 0x10 and wire.V2_BIT in self.bits:
                hash_ = self.content.sha256[:20]
            peer.raw(self.hooks.get("handshake", wire.handshake)(hash_, self.peer_id, self.bits))
            self.greetings += 1
            (self.hooks.get("hello") or self.greet)(peer)
            self._serve(peer)
        except (Closed, OSError):
            self.left += 1
        except Unexpected:
            pass
        finally:
            peer.close()

    def _serve(self, peer):
        while self.open:
            got = peer.read(time.monotonic() + 0.1)
            if got is not None:
                self._answer(peer, *got)
            if "busy" in self.hooks:
                self._hook("busy", peer)

    def _answer(self, peer, kind, body):
        if kind == REQUEST:
            piece, begin, length = (int.from_bytes(body[i:i + 4], "big") for i in (0, 4, 8))
            self.asked.append((piece, begin, length))
            data = self.content.block(piece, begin, length)
            data += bytes(length - len(data))
            said = self._hook("block", piece, begin, data) if "block" in self.hooks else data
            if self.delay:
                time.sleep(self.delay)
            self._send(peer, said, lambda d: message(PIECE, words(piece, begin) + d))
        elif kind == HASH_REQUEST and self.content.v2:
            asked = (body[:32],) + tuple(int.from_bytes(body[i:i + 4], "big") for i in (32, 36, 40, 44))
            self.hash_asked.append(asked)
            truth = self.content.hashes(*asked[1:])
            said = self._hook("hashes", body, asked, truth) if "hashes" in self.hooks else truth
            if isinstance(said, list) and all(len(h) == 32 for h in said):
                peer.raw(message(HASHES, body + b"".join(said)))
            else:
                self._send(peer, said, None)
        elif kind == EXTENDED and body[0] == OUR_LEAVES and body[1:2] == b"\1":
            piece = int.from_bytes(body[3:7], "big")
            self.hint_asked.append(piece)
            said = self._hook("hint", piece, self.content.digests(piece))
            if said is not None:
                peer.raw(extended(peer.ext.get("sh_leaves", 9), b"\2\1" + words(piece) + b"".join(said)))
        elif kind == EXTENDED and body[0] == OUR_METADATA:
            ask = bdecode(body, 1)[0]
            if ask[b"msg_type"] == 0:
                i = ask[b"piece"]
                data = self.content.info[i * BLOCK:(i + 1) * BLOCK]
                said = self._hook("metadata", i, data) if "metadata" in self.hooks else data
                self._send(peer, said, lambda d: metadata_block(peer, i, self.metadata_size, d))

    @staticmethod
    def _send(peer, said, wrap):
        if said is None:
            return
        if isinstance(said, list):
            peer.raw(b"".join(said))
        else:
            peer.raw(wrap(said))

    def stop(self):
        self.open = False
        if not self.listener:
            return
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()


def metadata_block(peer, index, size, data, kind=1):
    """A ut_metadata data message, under the number the target gave it."""
    head = {"msg_type": kind, "piece": index}
    if size is not None:
        head["total_size"] = size
    return extended(peer.ext.get("ut_metadata", 2), bencode(head) + data)


class Start:
    """How our own program is started for a case."""

    def __init__(self, program, work, number, command=None, net=127):
        self.command, self.net, self.dht = command, net, []  # dht: the nodes it begins at; none: it takes no part
        self.program, self.work = program, os.path.join(work, f"case-{number}")
        os.makedirs(self.work)
        self.low, self.high = number % 250 + 1, number // 250
        self.target = (f"{net}.2.{self.high}.{self.low}", PORT)

    def hostile(self, k=0):
        return f"{self.net}.{3 + k // 250}.{k % 250}.{self.low}"

    def honest(self, k=0):
        return f"{self.net}.9.{k}.{self.low}"

    def common(self):
        dht = [a for node in self.dht for a in ("--dht-node", "%s:%d" % node)] or ["--no-dht"]
        return ["--listen", "%s:%d" % self.target, "--json", "--state", os.path.join(self.work, "state"), *dht, "--no-lsd",
                "--no-portmap"]

    def seed(self, content, *more, fds=None):
        torrent, source = content.save(self.work)
        if self.command:
            with open(torrent, "wb") as f:  # some will not take one without a tracker; there is none at that address
                f.write(b"d8:announce" + wire.bencode("http://127.0.0.1:9/announce") + content.torrent[1:])
            return self._other(content, torrent, source, fds)
        p = Program(self.work, self.program, "seed", torrent, "-d", source, *self.common(), *more, fds=fds)
        if not p.wait("started", 30):
            p.stop()
            raise RuntimeError("the seed did not start: " + p.said())
        return p

    def _other(self, content, torrent, source, fds):
        """Another engine, by a command that stays in the foreground; it is ready when it gives out a piece."""
        words_ = {"torrent": torrent, "data": source, "folder": os.path.join(self.work, "engine"), "host": self.target[0],
                  "port": str(PORT)}
        os.makedirs(words_["folder"], exist_ok=True)
        env = {"HOSTILE_NODE": "%s:%d" % self.dht[0]} if self.dht else {}
        p = Program(self.work, *[w.format(**words_) for w in self.command], fds=fds, env=env)
        end = time.monotonic() + 40
        while True:
            try:
                fetch(content, self.target, self.honest(7), 10, pieces={0})
                return p
            except (OSError, Closed, Unexpected) as e:
                if not p.alive() or time.monotonic() > end:
                    p.stop()
                    raise RuntimeError(f"the target did not start: {e}: {p.said()}") from None
                time.sleep(0.2)

    def get(self, what, peers, *more):
        args = [a for peer in peers for a in ("--peer", "%s:%d" % peer)]
        return Program(self.work, self.program, "get", what, "-o", os.path.join(self.work, "copy"), *self.common(), *args,
                       *more)

    def clean(self):
        shutil.rmtree(self.work, ignore_errors=True)
