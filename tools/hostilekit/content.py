"""content.py - a torrent and its true bytes: made here, in each format, or read from a .torrent and the data beside it.

An implementation of v1 and BEP 52 hashing of its own, so that the target is not checked against itself.
"""
import hashlib
import os
import random

from wire import BLOCK, bdecode, bencode

ZERO = bytes(32)


def sha256(data):
    return hashlib.sha256(data).digest()


def width_of(n):
    return 1 << (n - 1).bit_length() if n > 1 else 1


def levels(hashes, width, pad):
    """All levels of a tree, lowest first."""
    out = [list(hashes) + [pad] * (width - len(hashes))]
    while len(out[-1]) > 1:
        row = out[-1]
        out.append([sha256(row[i] + row[i + 1]) for i in range(0, len(row), 2)])
    return out


def pad_at(height):
    h = ZERO
    for _ in range(height):
        h = sha256(h + h)
    return h


class Content:
    """One file (that is all a case needs), its bytes, its hashes and its .torrent."""

    def __init__(self, form, data, piece, name="content", private=False, sha1_of=None):
        """`sha1_of`: a hybrid's v1 hashes are of these bytes instead."""
        self.form, self.data, self.piece, self.name = form, data, piece, name
        self.v1, self.v2 = form in ("v1", "hybrid"), form in ("v2", "hybrid")
        info = {"name": name, "piece length": piece, **({"private": 1} if private else {})}
        other = sha1_of or data
        self.pieces = [hashlib.sha1(other[i:i + piece]).digest() for i in range(0, len(data), piece)]
        if self.v1:
            info.update({"length": len(data), "pieces": b"".join(self.pieces)})
        layers = {}
        if self.v2:
            self._hash_v2()
            info.update({"meta version": 2, "file tree": {name: {"": {"length": len(data), "pieces root": self.root}}}})
            if len(self.layer) > 1:
                layers[self.root] = b"".join(self.layer)
        self.info = bencode(info)
        whole = {"info": info}
        if layers:
            whole["piece layers"] = layers
        self.torrent = bencode(whole)
        self._hashes()

    def _hash_v2(self):
        leaves = [sha256(self.data[i:i + BLOCK]) for i in range(0, len(self.data), BLOCK)]
        per = self.piece // BLOCK
        self.leaves = levels(leaves, max(width_of(len(leaves)), per if len(self.data) > self.piece else 1), ZERO)
        self.root = self.leaves[-1][0]
        height = per.bit_length() - 1
        count = -(-len(self.data) // self.piece)
        self.layer = self.leaves[height][:count] if len(self.data) > self.piece else []
        self.layer_base = height

    def _hashes(self):
        self.sha1 = hashlib.sha1(self.info).digest()
        self.sha256 = sha256(self.info)
        self.hash = self.sha1 if self.v1 else self.sha256[:20]
        self.count = len(self.pieces)

    # ---- what a seed answers ----

    def piece_length(self, piece):
        return min(self.piece, len(self.data) - piece * self.piece)

    def block(self, piece, begin, length):
        at = piece * self.piece + begin
        return self.data[at:at + length]

    def digests(self, piece):
        """SHA-256 of each block of it."""
        return [sha256(self.block(piece, b, min(BLOCK, self.piece_length(piece) - b)))
                for b in range(0, self.piece_length(piece), BLOCK)]

    def false_digest(self, piece):
        """Of its first block with the last bit flipped, as polluters here send it."""
        data = self.block(piece, 0, min(BLOCK, self.piece_length(piece)))
        return sha256(data[:-1] + bytes([data[-1] ^ 1]))

    def blocks(self):
        """Every (piece, begin, length) of the content, in order."""
        for piece in range(self.count):
            for begin in range(0, self.piece_length(piece), BLOCK):
                yield piece, begin, min(BLOCK, self.piece_length(piece) - begin)

    def right(self, piece, data):
        if self.v1:
            return hashlib.sha1(data).digest() == self.pieces[piece]
        return data == self.block(piece, 0, self.piece_length(piece))

    def hashes(self, base, index, length, proof):
        """What BEP 52 answers to a hash request, by the tree itself: the range, then the uncles."""
        tree = self.leaves
        out = tree[base][index:index + length]
        out += [pad_at(base)] * (length - len(out))
        skip, at = length.bit_length() - 1, index // length
        for level in range(base + skip, min(base + 1 + proof, len(tree) - 1)):
            if at ^ 1 < len(tree[level]):
                out.append(tree[level][at ^ 1])
            at //= 2
        return out

    def magnet(self, peers=()):
        link = "magnet:?"
        parts = []
        if self.v1:
            parts.append("xt=urn:btih:" + self.sha1.hex())
        if self.v2:
            parts.append("xt=urn:btmh:1220" + self.sha256.hex())
        return link + "&".join(parts)

    def naming(self, tiers=(), seeds=()):
        """The .torrent, with trackers and web seeds in it."""
        head = b"13:announce-list" + bencode([[url] for url in tiers]) if tiers else b""
        return b"d" + head + self.torrent[1:-1] + (b"8:url-list" + bencode(list(seeds)) if seeds else b"") + b"e"

    # ---- on disk ----

    def save(self, folder):
        """The .torrent; and the data, in a folder of its own. Gives both paths."""
        source = os.path.join(folder, "source")
        os.makedirs(source, exist_ok=True)
        torrent = os.path.join(folder, "t.torrent")
        with open(torrent, "wb") as f:
            f.write(self.torrent)
        with open(os.path.join(source, self.name), "wb") as f:
            f.write(self.data)
        return torrent, source


def make(form="hybrid", size=1_050_000, piece=1 << 16, seed=1):
    return Content(form, random.Random(seed).randbytes(size), piece)


def load(torrent, data):
    """A .torrent with a single file, and that file. The info dictionary is hashed as its own bytes, never re-encoded."""
    raw = open(torrent, "rb").read()
    whole = bdecode(raw)[0]
    info = whole[b"info"]
    if b"length" in info:
        name = info[b"name"]
    elif len(info.get(b"file tree", {})) == 1 and b"files" not in info:
        name = next(iter(info[b"file tree"]))
    else:
        raise SystemExit("tools/hostile: --torrent must hold a single file")
    path = os.path.join(data, os.fsdecode(name)) if os.path.isdir(data) else data
    v2 = b"file tree" in info
    form = "hybrid" if v2 and b"pieces" in info else "v2" if v2 else "v1"
    content = Content(form, open(path, "rb").read(), info[b"piece length"], os.fsdecode(name))
    at = raw.index(b"4:info") + 6
    content.info = raw[at:bdecode(raw, at)[1]]
    content.torrent = raw
    content._hashes()
    if form != "v2" and info[b"pieces"] != b"".join(content.pieces):
        raise SystemExit("tools/hostile: the data is not the torrent's")
    return content
