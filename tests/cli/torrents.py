"""torrents.py - bencode and BEP 52 hashing in plain Python, to check the program against something else than itself."""
import hashlib

BLOCK = 16384


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, str):
        return bencode(value.encode())
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    items = sorted((k.encode() if isinstance(k, str) else k, v) for k, v in value.items())
    return b"d" + b"".join(bencode(k) + bencode(v) for k, v in items) + b"e"


def bdecode(raw):
    def one(at):
        head = raw[at:at + 1]
        if head == b"i":
            end = raw.index(b"e", at)
            return int(raw[at + 1:end]), end + 1
        if head in b"ld":
            items, at = [], at + 1
            while raw[at:at + 1] != b"e":
                item, at = one(at)
                items.append(item)
            return (items if head == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
        colon = raw.index(b":", at)
        end = colon + 1 + int(raw[at:colon])
        return raw[colon + 1:end], end

    value, end = one(0)
    assert end == len(raw), "bytes after the torrent"
    return value


def info_of(raw):
    """The info dictionary's own bytes."""
    at = raw.index(b"4:info") + 6
    for end in range(len(raw) - 1, at, -1):  # ours stands near the end, so this is quick
        if raw[end:end + 1] == b"e":
            try:
                bdecode(raw[at:end + 1])
            except (AssertionError, ValueError, IndexError):
                continue
            return raw[at:end + 1]
    raise ValueError("no info dictionary")


def sha256(data):
    return hashlib.sha256(data).digest()


def merkle(hashes, width, pad):
    hashes = list(hashes) + [pad] * (width - len(hashes))
    while len(hashes) > 1:
        hashes = [sha256(a + b) for a, b in zip(hashes[::2], hashes[1::2])]
    return hashes[0]


def width_of(n):
    return 1 << (n - 1).bit_length() if n > 1 else 1


def v2_of(data, piece):
    """A file's root and its piece layer (empty when it is no longer than a piece)."""
    leaves = [sha256(data[i:i + BLOCK]) for i in range(0, len(data), BLOCK)]
    zero = bytes(32)
    if len(data) <= piece:
        return merkle(leaves, width_of(len(leaves)), zero), []
    per = piece // BLOCK
    layer = [merkle(leaves[i:i + per], per, zero) for i in range(0, len(leaves), per)]
    return merkle(layer, width_of(len(layer)), merkle([], per, zero)), layer


def v1_of(stream, piece):
    return b"".join(hashlib.sha1(stream[i:i + piece]).digest() for i in range(0, len(stream), piece))
