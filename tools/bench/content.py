"""tools/bench/content.py - what is moved and how it is judged: payloads, torrents, independent hashes.

Shares no code with any engine: bytes come from a seeded generator, torrents are written here (BEP 3 and
BEP 52, one file each), and copies are compared by SHA-256 of the whole.
"""
import hashlib
import os
import random

BLOCK = 16 << 10  # of a v2 leaf
STEP = 4 << 20    # bytes read or made at a time


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    items = sorted((k.encode() if isinstance(k, str) else k, v) for k, v in value.items())
    return b"d" + b"".join(bencode(k) + bencode(v) for k, v in items) + b"e"


def blocks_of(path, step=STEP):
    with open(path, "rb", buffering=0) as f:
        while block := f.read(step):
            yield block


def sha256_of(path):
    h = hashlib.sha256()
    for block in blocks_of(path):
        h.update(block)
    return h.hexdigest()


def sha256(data):
    return hashlib.sha256(data).digest()


def root_of(hashes, width, pad):
    """The root over `hashes`, filled up to `width` (a power of two) with `pad`."""
    level = list(hashes) + [pad] * (width - len(hashes))
    while len(level) > 1:
        level = [sha256(a + b) for a, b in zip(level[::2], level[1::2])]
    return level[0]


class Payload:
    """A file of `size` bytes that only `seed` decides, and every torrent of it that is asked for."""

    def __init__(self, folder, name, size, piece, seed=1):
        os.makedirs(folder, exist_ok=True)
        self.folder, self.name, self.size, self.piece = folder, name, size, piece
        self.path = os.path.join(folder, name)
        rnd, left, h = random.Random(seed), size, hashlib.sha256()
        with open(self.path, "wb", buffering=0) as f:
            while left:
                block = rnd.randbytes(min(left, STEP))
                h.update(block)
                f.write(block)
                left -= len(block)
        self.digest = h.hexdigest()
        self.v1, self.layer, self.made = None, None, {}

    def _read_v1(self):
        if self.v1 is None:
            step = min(self.piece, STEP)
            out, h, n = [], hashlib.sha1(), 0
            for block in blocks_of(self.path, step):
                h.update(block)
                n += len(block)
                if n == self.piece:
                    out.append(h.digest())
                    h, n = hashlib.sha1(), 0
            if n:
                out.append(h.digest())
            self.v1 = b"".join(out)
        return self.v1

    def _read_v2(self):
        """(the file's root, its piece layer); no layer for a file within one piece."""
        if self.layer is None:
            leaves = [sha256(view[i:i + BLOCK]) for block in blocks_of(self.path)
                      for view in [memoryview(block)] for i in range(0, len(block), BLOCK)]
            zero, per = bytes(32), self.piece // BLOCK
            if self.size <= self.piece:
                self.layer = root_of(leaves, 1 << (len(leaves) - 1).bit_length(), zero), b""
            else:
                layer = [root_of(leaves[i:i + per], per, zero) for i in range(0, len(leaves), per)]
                width = 1 << (len(layer) - 1).bit_length()
                self.layer = root_of(layer, width, root_of([], per, zero)), b"".join(layer)
        return self.layer

    def info(self, form):
        """The info dictionary, encoded; form: v1, v2 or hybrid."""
        info = {"name": self.name, "piece length": self.piece}
        if form != "v2":
            info.update({"pieces": self._read_v1(), "length": self.size})
        if form != "v1":
            info.update({"meta version": 2,
                         "file tree": {self.name: {"": {"length": self.size, "pieces root": self._read_v2()[0]}}}})
        return bencode(info)

    def torrent(self, form):
        """The path of a torrent of it."""
        if form not in self.made:
            layers = b""
            if form != "v1":
                root, layer = self._read_v2()
                layers = b"12:piece layers" + bencode({root: layer} if layer else {})
            self.made[form] = os.path.join(self.folder, f"{self.name}.{form}.torrent")
            with open(self.made[form], "wb") as f:
                f.write(b"d4:info" + self.info(form) + layers + b"e")
        return self.made[form]

    def magnet(self, form):
        if form == "v1":
            topic = "btih:" + hashlib.sha1(self.info("v1")).hexdigest()
        else:
            topic = "btmh:1220" + hashlib.sha256(self.info("v2")).hexdigest()
        return f"magnet:?xt=urn:{topic}&dn={self.name}"

    def is_torrent_of_it(self, path, form):
        """True when an engine's torrent carries this very info dictionary, byte for byte."""
        with open(path, "rb") as f:
            return b"4:info" + self.info(form) in f.read()

    def is_copied_to(self, folder):
        copy = os.path.join(folder, self.name)
        return os.path.exists(copy) and os.path.getsize(copy) == self.size and sha256_of(copy) == self.digest
