"""tools/bench/content_tree.py - a folder of many small files, its torrents and its judgement; beside content.py, by the same rules."""
import hashlib
import os
import random
import shutil

from content import BLOCK, bencode, root_of, sha256

PER_FOLDER = 500


class Tree:
    """`count` files of 1 byte to `most`, small ones more often, that only `seed` decides. As content.Payload to a measure."""

    def __init__(self, folder, name, count, most, piece, seed=1, changed=()):
        """changed: the numbers of files that hold other bytes than in the version without."""
        assert most <= piece  # so that a file's v2 root needs no layer
        self.news = frozenset(changed)
        self.folder, self.name, self.count, self.piece, self.made = folder, name, count, piece, {}
        self.path = os.path.join(folder, name)
        rnd = random.Random(seed)
        pool = rnd.randbytes(4 << 20)
        self.sizes = [1 + int(most ** rnd.random()) * (most - 1) // most for _ in range(count)]
        self.starts = [rnd.randrange(len(pool) - most) for _ in range(count)]
        self.pool, self.size = pool, sum(self.sizes)
        self.changed = sum(self.sizes[i] for i in self.news)
        for at in range(0, count, PER_FOLDER):
            there = os.path.join(self.path, self.folder_of(at))
            os.makedirs(there)
            for i in range(at, min(at + PER_FOLDER, count)):
                with open(os.path.join(there, f"{i:07d}"), "wb", buffering=0) as f:
                    f.write(self.bytes_of(i))

    @staticmethod
    def folder_of(i):
        return f"{i // PER_FOLDER:05d}"

    def bytes_of(self, i):
        """The file's number in front, so that no two are equal but the very small."""
        text = b"%d%s " % (i, b"b" if i in self.news else b"") + self.pool[self.starts[i]:self.starts[i] + self.sizes[i]]
        return text[:self.sizes[i]]

    def _v1(self):
        """Pieces over the stream of files, which stand in the order of their paths."""
        rest, pieces = b"", []
        for i in range(self.count):
            rest += self.bytes_of(i)
            while len(rest) >= self.piece:
                pieces.append(hashlib.sha1(rest[:self.piece]).digest())
                rest = rest[self.piece:]
        return b"".join(pieces) + (hashlib.sha1(rest).digest() if rest else b"")

    def _root(self, i):
        data = self.bytes_of(i)
        leaves = [sha256(data[at:at + BLOCK]) for at in range(0, len(data), BLOCK)]
        return root_of(leaves, 1 << (len(leaves) - 1).bit_length(), bytes(32))

    def info(self, form):
        """The info dictionary; written by hand, for bencode() of a million entries at once is slow."""
        if form == "v1":
            files = b"".join(b"d6:lengthi%de4:pathl5:%s7:%07dee" % (n, self.folder_of(i).encode(), i)
                             for i, n in enumerate(self.sizes))
            return (b"d5:filesl" + files + b"e4:name" + bencode(self.name) + b"12:piece length" + bencode(self.piece)
                    + b"6:pieces" + bencode(self._v1()) + b"e")
        tree = []
        for i, n in enumerate(self.sizes):
            if i % PER_FOLDER == 0:
                tree.append((b"e" if i else b"") + b"5:" + self.folder_of(i).encode() + b"d")
            tree.append(b"7:%07dd0:d6:lengthi%de11:pieces root32:%see" % (i, n, self._root(i)))
        return (b"d9:file treed" + b"".join(tree) + b"ee12:meta versioni2e4:name" + bencode(self.name) + b"12:piece length"
                + bencode(self.piece) + b"e")

    def torrent(self, form):
        if form not in self.made:
            self.made[form] = os.path.join(self.folder, f"{self.name}.{form}.torrent")
            with open(self.made[form], "wb") as f:
                f.write(b"d4:info" + self.info(form) + (b"12:piece layersde" if form == "v2" else b"") + b"e")
        return self.made[form]

    def is_torrent_of_it(self, path, form):
        with open(path, "rb") as f:
            return b"4:info" + self.info(form) in f.read()

    def is_copied_to(self, folder):
        """Every file, and not one more."""
        copy = os.path.join(folder, self.name)
        for i in range(self.count):
            try:
                with open(os.path.join(copy, self.folder_of(i), f"{i:07d}"), "rb", buffering=0) as f:
                    if f.read(self.sizes[i] + 1) != self.bytes_of(i):
                        return False
            except OSError:
                return False
        return sum(len(files) for _, _, files in os.walk(copy)) == self.count

    def remove(self):
        shutil.rmtree(self.path)
        for path in self.made.values():
            os.unlink(path)
