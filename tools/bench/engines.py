"""tools/bench/engines.py - how each engine is asked for the same thing. Both speak JSON lines, so one Node fits all."""
import os
import shutil
import sys

from harness import Failed, Node, run_timed

HERE = os.path.dirname(os.path.abspath(__file__))
# Debian's module belongs to Debian's interpreter, whichever one runs us.
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
CLOSED = ["--no-dht", "--no-lsd", "--no-pex", "--no-trackers", "--no-portmap"]
UTP = ["enable_outgoing_utp=1", "enable_incoming_utp=1", "enable_outgoing_tcp=0", "enable_incoming_tcp=0"]
RC4 = ["out_enc_policy=0", "in_enc_policy=0", "allowed_enc_level=2", "prefer_rc4=1"]


class Shoal:
    def __init__(self, program, variant=""):
        """variant: "rc4" for streams that are encrypted, all of them; "utp" for uTP alone."""
        self.program = os.path.abspath(program)
        self.variant = variant
        self.name = "shoal" + (":" + variant if variant else "")

    def available(self):
        if os.access(self.program, os.X_OK):
            return None
        return f"no program {self.program}: build it, or name it by --shoal"

    def _node(self, what, listen, state, memory, args):
        argv = [self.program, *args, "--listen", listen, "--state", os.path.join(state, "state"), "--json",
                *CLOSED, "--no-tcp" if self.variant == "utp" else "--no-utp",
                "--encryption", "require" if self.variant == "rc4" else "off"]
        if memory:
            argv += ["--memory", memory]
        return Node(self.name, argv, state)

    def seed(self, torrent, folder, listen, state, memory=None, more=()):
        return self._node("seed", listen, state, memory, ["seed", torrent, "-d", folder, *more])

    def get(self, item, folder, listen, peer, state, memory=None, stay=True, more=()):
        """stay: goes on after `complete`; else ends when all of it is durable."""
        return self._node("get", listen, state, memory,
                          ["get", item, "-o", folder, "--peer", peer, *more] + (["--seed"] if stay else []))

    def join(self, torrent, folder, listen, peers, state):
        """get with more than one peer; it goes on after `complete`."""
        more = [word for peer in peers[1:] for word in ("--peer", peer)]
        return self.get(torrent, folder, listen, peers[0], state, more=more)

    ends_durable = True

    def create(self, path, out, form, piece, threads):
        return run_timed([self.program, "create", path, "-o", out, "--force", "--quiet", "--format", form,
                          "--piece-size", str(piece), "--threads", str(threads)])

    def verify(self, torrent, folder, threads):
        return run_timed([self.program, "verify", torrent, "-d", folder, "--quiet", "--threads", str(threads)])


class Libtorrent:
    ends_durable = False  # it says when its data was handed to the system, not when it is safe

    def __init__(self, tracker, variant=""):
        self.tracker = tracker  # a function: peers -> URL
        self.variant = variant
        self.name = "libtorrent" + (":" + variant if variant else "")

    def available(self):
        try:
            run_timed([PYTHON, "-c", "import libtorrent"], 20)
        except (Failed, OSError):
            return f"no libtorrent module for {PYTHON} (python3-libtorrent)"
        return None

    def _node(self, args, state):
        more = {"rc4": RC4, "utp": UTP}.get(self.variant, [])
        return Node(self.name, [PYTHON, "-B", os.path.join(HERE, "libtorrent_node.py"), *args, *more], state, gated=True)

    def seed(self, torrent, folder, listen, state, memory=None, settings=()):
        return self._node(["seed", torrent, folder, listen, *settings], state)

    def get(self, item, folder, listen, peer, state, memory=None, stay=True):
        return self._node(["get", item, folder, listen, peer, self.tracker(peer)], state)

    def join(self, torrent, folder, listen, peers, state):
        return self._node(["get", torrent, folder, listen, peers[0], self.tracker(*peers)], state)


class Mktorrent:
    name = "mktorrent"

    @staticmethod
    def available():
        return None if shutil.which("mktorrent") else "no mktorrent installed"

    @staticmethod
    def create(path, out, form, piece, threads):
        if os.path.exists(out):
            os.unlink(out)
        return run_timed(["mktorrent", "-a", "http://127.0.0.1:1/", "-l", str(piece.bit_length() - 1),
                          "-t", str(threads), "-o", out, path])
