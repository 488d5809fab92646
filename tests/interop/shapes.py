"""shapes.py - torrents of every shape, with their content: all formats, odd sizes, hostile names, broken ones.

Made by plain Python (tests/cli/torrents.py), by no engine. `make(folder)` writes them and returns their names; each lies
in a folder of its own, its content beside it under the names that `shoal show` says it goes to. The same bytes each time.
"""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from torrents import v1_of, v2_of  # noqa: E402

K = 1024
FORMATS = ("v1", "v2", "hybrid")


class Raw(bytes):
    """Goes into the torrent as it is."""


class Pairs(list):
    """A dictionary in this order, keys as often as they come."""


def benc(value):
    if isinstance(value, Raw):
        return bytes(value)
    if isinstance(value, bool) or isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, dict):
        value = Pairs(sorted((raw(k), v) for k, v in value.items()))
    if isinstance(value, Pairs):
        return b"d" + b"".join(benc(raw(k)) + benc(v) for k, v in value) + b"e"
    return b"l" + b"".join(map(benc, value)) + b"e"


def raw(text):
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


class File:
    def __init__(self, path, data=b"", attr=None, link=None, **more):
        self.path = [path] if isinstance(path, (str, bytes)) else list(path)
        self.data, self.attr, self.link, self.more = data, attr, link, more

    def extra(self):
        out = dict(self.more)
        if self.attr:
            out["attr"] = self.attr
        if self.link:
            out["symlink path"] = self.link
        return out


def noise(size, seed=0):
    return random.Random(size * 1000 + seed).randbytes(size)


def in_tree_order(files):
    return sorted(files, key=lambda f: [raw(c) for c in f.path])


def info_of(fmt, name, files, piece, single=False, pad=True, change=None):
    """The info dictionary, and the piece layers. A lone file without a folder where `single`."""
    info, layers = {"name": name, "piece length": piece}, {}
    if fmt != "v1":
        files = in_tree_order(files)
        tree = {}
        for f in files:
            at = tree
            for part in f.path:
                at = at.setdefault(raw(part), {})
            leaf = {"length": len(f.data), **f.extra()}
            if f.data:
                root, layer = v2_of(f.data, piece)
                leaf["pieces root"] = root
                if layer:
                    layers[root] = b"".join(layer)
            at[b""] = leaf
        info["meta version"], info["file tree"] = 2, tree
    if fmt != "v2":
        stream, entries = b"", []
        for i, f in enumerate(files):
            entries.append({"length": len(f.data), "path": f.path, **f.extra()})
            stream += f.data
            short = -len(stream) % piece
            if fmt == "hybrid" and pad and short and i + 1 < len(files) and any(g.data for g in files[i + 1:]):
                entries.append({"attr": "p", "length": short, "path": [".pad", str(short)]})
                stream += bytes(short)
        if single:
            info["length"] = len(files[0].data)
            info.update(files[0].extra())
        else:
            info["files"] = entries
        info["pieces"] = v1_of(stream, piece)
    if change:
        change(info)
    return info, layers


class Shape:
    def __init__(self, name, torrent, files=()):
        self.name, self.torrent, self.files = name, torrent, list(files)


def shape(name, fmt, files, piece=16 * K, title="t", single=False, pad=True, change=None, outer=None, layers=True):
    info, rows = info_of(fmt, title, files, piece, single, pad, change)
    top = {"info": info, **(outer or {})}
    if fmt != "v1" and layers:
        top["piece layers"] = rows
    stored = [f for f in (files if fmt == "v1" else in_tree_order(files)) if not f.link and f.attr != "p"]
    return Shape(f"{name}-{fmt}", benc(top), stored)


# ---- what is right: every format, sizes around every border -------------------------------------------------------

def sound():
    for size in (0, 1, 16383, 16384, 16385, 32768, 40000, 65536, 100001, 3 * 65536 + 1):
        for fmt in FORMATS:
            yield shape(f"one-{size}", fmt, [File("t", noise(size))], single=True)
    tree = [File(["a"], noise(70000)), File(["b", "c"], noise(16384)), File(["b", "d", "e"], noise(1)), File(["z"], noise(33000))]
    for piece in (16 * K, 32 * K, 64 * K, 256 * K, 1024 * K):
        for fmt in FORMATS:
            yield shape(f"tree-{piece // K}K", fmt, tree, piece)
    for piece in (1, 16, 1000, 1024, 5000, 16385, 20000, 48 * K, 100 * K):
        yield shape(f"piece-{piece}", "v1", [File("a", noise(5000)), File("b", noise(47000 if piece > 16 else 100))], piece)
    for fmt in FORMATS:
        yield shape("small-files", fmt, [File([f"d{i % 7}", f"{i}"], noise(i * 3 % 301, i)) for i in range(150)])
        yield shape("deep-30", fmt, [File([f"d{i}" for i in range(30)] + ["f"], noise(20000))])
        yield shape("deep-90", fmt, [File([f"d{i}" for i in range(90)] + ["f"], noise(20000))])
        yield shape("deep-101", fmt, [File([f"d{i}" for i in range(101)] + ["f"], noise(20000))])
        yield shape("deep-110", fmt, [File([f"d{i}" for i in range(110)] + ["f"], noise(20000))])
        yield shape("only-empty", fmt, [File("a"), File(["b", "c"]), File("d")])
        yield shape("empty-among", fmt, [File("a"), File("b", noise(20000)), File("c"), File(["d", "e"], noise(5)), File("f")])
        yield shape("twins", fmt, [File("a", noise(40000)), File("b", noise(40000)), File("c", noise(100)), File("d", noise(100))])
        yield shape("attrs", fmt, [File("exec", noise(20000), "x"), File("hidden", noise(10), "h"), File("both", noise(9), "xh"),
                                   File("unknown", noise(8), "qz")])
        yield shape("symlink", fmt, [File("a", noise(20000)), File("l", b"", "l", ["a"]), File(["s", "l"], b"", "l", ["s", "t"])])
        yield shape("symlink-out", fmt, [File("a", noise(20000)), File("l", b"", "l", ["..", "..", "etc", "passwd"])])
        yield shape("symlink-absolute", fmt, [File("a", noise(20000)), File("l", b"", "l", ["", "etc", "passwd"])])
        yield shape("symlink-no-target", fmt, [File("a", noise(20000)), File("l", b"", "l")])
        yield shape("private", fmt, [File("a", noise(20000))], change=lambda i: i.update(private=1))
        yield shape("source", fmt, [File("a", noise(20000))], change=lambda i: i.update(source="X", unknown={"a": [1]}))
        yield shape("folder-of-one", fmt, [File("a", noise(20000))], title="folder")
        yield shape("folder-same-name", fmt, [File("t", noise(20000))], title="t")
    yield shape("order", "v1", [File("z", noise(20000)), File("a", noise(20000)), File(["m", "n"], noise(5)), File("b", noise(7))])
    yield shape("pads-unneeded", "v1", [File("a", noise(16384)), File([".pad", "16384"], bytes(16384), "p"), File("b", noise(5))])
    yield shape("pads-own", "v1", [File("a", noise(1000)), File([".pad", "15384"], bytes(15384), "p"), File("b", noise(5))])
    yield shape("pads-odd-size", "v1", [File("a", noise(1000)), File([".pad", "9"], bytes(9), "p"), File("b", noise(50000))])
    yield shape("pads-last", "v1", [File("a", noise(1000)), File([".pad", "15384"], bytes(15384), "p")])
    yield shape("pads-two", "v1", [File("a", noise(1000)), File([".pad", "384"], bytes(384), "p"),
                                   File([".pad", "15000"], bytes(15000), "p"), File("b", noise(5))])
    yield shape("pads-same-name", "v1", [File("a", noise(16283)), File([".pad", "101"], bytes(101), "p"), File("b", noise(16283)),
                                         File([".pad", "101"], bytes(101), "p"), File("c", noise(5))])
    yield shape("pads-no-attr", "v1", [File("a", noise(1000)), File([".pad", "15384"], bytes(15384)), File("b", noise(5))])
    yield shape("no-pads", "hybrid", [File("a", noise(16384)), File("b", noise(32768))], pad=False)


# ---- names -----------------------------------------------------------------------------------------------------------

NAMES = {
    "space": " ", "spaces-around": " a ", "dot-behind": "a.", "dots": "...", "hidden": ".a", "dash": "-rf", "tilde": "~",
    "shell": "$(x);`y`|&", "quotes": "\"'", "glob": "*?[a]", "colon": "C:", "angle": "<a>", "con": "CON", "aux": "aux.txt",
    "backslash": "a\\b", "backslash-up": "..\\a", "percent": "%2e%2e%2f", "emoji": "\U0001f41f", "rtl": "a\u202etxt.exe",
    "bidi-isolate": "a\u2066b\u2069", "zero-width": "a\u200bb", "bom": "\ufeffa", "combining": "e\u0301", "private-use": "\ue000",
    "noncharacter": "a\ufffe", "newline": "a\nb", "escape": "a\x1b[31mb", "bell": "a\x07", "del": "a\x7f", "c1": "a\u0085b",
    "tab": "a\tb", "bad-utf8": b"a\xff\xfeb", "cut-utf8": b"a\xe2\x82", "overlong": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80",
    "latin1": b"caf\xe9", "long-240": "n" * 240, "long-241": "n" * 241, "long-255": "n" * 251 + ".txt", "long-256": "n" * 256,
    "long-300": "n" * 296 + ".txt", "long-utf8": "\u00e9" * 200, "up": "..", "here": ".", "empty": "", "slash": "a/b",
    "slash-front": "/a", "slash-up": "../a", "nul": b"a\x00b", "line-separator": "a\u2028b",
}


def names():
    for name, bad in NAMES.items():
        data = noise(20000)
        for fmt in ("v1", "v2") if name not in ("rtl", "bad-utf8", "long-300", "up", "slash", "nul") else FORMATS:
            yield shape(f"file-{name}", fmt, [File([bad], data), File(["ok"], noise(3))])
        yield shape(f"folder-{name}", "v1" if len(name) % 2 else "v2", [File([bad, "f"], data), File(["ok"], noise(3))])
        yield shape(f"title-{name}", "v2" if len(name) % 2 else "v1", [File(["f"], data)], title=bad)
        yield shape(f"alone-{name}", "v1", [File([bad], data)], title=bad, single=True)
    for fmt in FORMATS:
        yield shape("case", fmt, [File("A", noise(10)), File("a", noise(20)), File(["D", "f"], noise(3)), File(["d", "f"], noise(4))])
        yield shape("nfc-nfd", fmt, [File("\u00e9", noise(10)), File("e\u0301", noise(20))])
    yield shape("same-twice", "v1", [File("a", noise(10)), File("a", noise(20))])
    yield shape("same-thrice", "v1", [File("a.txt", noise(10)), File("a.txt", noise(20)), File("a.txt", noise(30)),
                                      File("a.1.txt", noise(40))])
    yield shape("file-and-folder", "v1", [File("a", noise(10)), File(["a", "b"], noise(20))])
    yield shape("folder-and-file", "v1", [File(["a", "b"], noise(10)), File("a", noise(20))])
    yield shape("empty-component", "v1", [File(["a", "", "b"], noise(20000))])
    yield shape("up-inside", "v1", [File(["a", "..", "b"], noise(20000))])
    yield shape("long-path", "v1", [File(["d" * 250] * 17 + ["f"], noise(20000))])
    yield shape("longest-path", "v1", [File(["d" * 200] * 20, noise(20000))])
    yield shape("utf8-keys", "v1", [File("a", noise(20000), **{"path.utf-8": ["b"]})],
                change=lambda i: i.update({"name.utf-8": "u"}), outer={"encoding": "UTF-8"})
    yield shape("utf8-keys-odd", "v1", [File("a", noise(20000), **{"path.utf-8": 7})])
    yield shape("encoding", "v1", [File(b"caf\xe9", noise(20000))], outer={"encoding": "ISO-8859-1"})


# ---- what is wrong -----------------------------------------------------------------------------------------------------

def put(**keys):
    return lambda info: info.update({k.replace("_", " "): v for k, v in keys.items()})


def drop(key):
    return lambda info: info.pop(key)


def broken():
    data = noise(40000)
    one = [File("t", data)]
    good = benc({"info": info_of("v1", "t", one, 16 * K, True)[0]})
    pieces = v1_of(data, 16 * K)

    def text(name, torrent):
        return Shape(f"text-{name}", torrent)

    def v1(name, change, files=None, single=True):
        return shape(f"bad-{name}", "v1", files or one, single=single, change=change)

    def v2(name, change=None, fmt="v2", files=None, **more):
        return shape(f"bad-{name}", fmt, files or [File("a", data), File("b", noise(5))], change=change, **more)

    yield text("empty", b"")
    yield text("not-bencode", b"<html>no such torrent</html>")
    yield text("empty-dict", b"de")
    yield text("list", b"l" + good + b"e")
    yield text("cut", good[:-1])
    yield text("cut-in-pieces", good[:-20])
    yield text("trailing", good + b"x")
    yield text("trailing-newline", good + b"\n")
    yield text("trailing-dict", good + b"de")
    yield text("leading-space", b" " + good)
    yield text("leading-bom", b"\xef\xbb\xbf" + good)
    yield text("unsorted", benc(Pairs([("info", Raw(good[7:-1])), ("comment", "c")])))
    yield text("twice-outer", benc(Pairs([("comment", "a"), ("comment", "b"), ("info", Raw(good[7:-1]))])))
    yield text("twice-info", benc(Pairs([("info", Raw(good[7:-1])), ("info", Raw(good[7:-1]))])))
    for name, pairs in (("unsorted-info", [("piece length", 16 * K), ("name", "t"), ("length", 40000), ("pieces", pieces)]),
                        ("twice-name", [("length", 40000), ("name", "t"), ("name", "u"), ("piece length", 16 * K), ("pieces", pieces)]),
                        ("twice-length", [("length", 1), ("length", 40000), ("name", "t"), ("piece length", 16 * K),
                                          ("pieces", pieces)])):
        yield Shape(f"text-{name}", benc({"info": Pairs(pairs)}), one)
    for name, number in (("zero-first", b"i040000e"), ("minus-zero", b"i-0e"), ("plus", b"i+40000e"), ("hex", b"i0x9c40e"),
                         ("blank", b"ie"), ("space", b"i 40000e"), ("huge", b"i99999999999999999999e"), ("float", b"i4e4e"),
                         ("string", b"5:40000")):
        yield v1("length-" + name, put(length=Raw(number)))
    yield v1("name-length-zeros", put(name=Raw(b"01:t")))
    for depth in (20, 60, 99, 150, 3000):
        yield v1(f"nested-{depth}", put(x=Raw(b"l" * depth + b"e" * depth)))
    yield text("no-info", benc({"announce": "http://t.example/a"}))
    yield text("info-list", benc({"info": []}))
    yield text("info-empty", benc({"info": {}}))
    for key in ("name", "pieces", "piece length", "length"):
        yield v1("no-" + key.replace(" ", "-"), drop(key))
    yield v1("pieces-21", put(pieces=pieces + b"x"))
    yield v1("pieces-few", put(pieces=pieces[:-20]))
    yield v1("pieces-many", put(pieces=pieces + bytes(20)))
    yield v1("pieces-none", put(pieces=b""))
    yield v1("pieces-wrong", put(pieces=bytes(60)))
    yield v1("pieces-list", put(pieces=[pieces]))
    for size in (0, -1, -16384, 1 << 30, 1 << 31, 1 << 40):
        yield v1(f"piece-length-{size}", put(piece_length=size, pieces=pieces if size < 0 else pieces[:20]))
    for size in (64 << 20, 128 << 20, 512 << 20):
        yield v1(f"piece-length-{size >> 20}M", put(piece_length=size, pieces=v1_of(data, 1 << 20)))
    for size in (-1, 1 << 47, 1 << 50, 1 << 62, (1 << 63) - 1):
        yield v1(f"length-{size}", put(length=size))
    yield v1("both", put(files=[{"length": 40000, "path": ["a"]}]))
    yield v1("files-empty", lambda i: (i.pop("length"), i.update(files=[])))
    yield v1("files-dict", lambda i: (i.pop("length"), i.update(files={})))
    yield v1("files-of-lists", lambda i: (i.pop("length"), i.update(files=[[]])))
    for name, entry in (("no-length", {"path": ["a"]}), ("no-path", {"length": 40000}), ("path-empty", {"length": 40000, "path": []}),
                        ("path-number", {"length": 40000, "path": [7]}), ("path-string", {"length": 40000, "path": "a"}),
                        ("length-negative", {"length": -1, "path": ["a"]}), ("link-with-bytes",
                         {"length": 40000, "path": ["a"], "attr": "l", "symlink path": ["b"]})):
        yield v1("file-" + name, lambda i, e=entry: (i.pop("length"), i.update(files=[e])))
    yield v1("sum-overflows", lambda i: (i.pop("length"), i.update(files=[{"length": 1 << 62, "path": [c]} for c in "abcd"])))
    yield v1("name-number", put(name=7))
    yield v1("private-string", put(private="1"))
    yield v1("private-2", put(private=2))
    # v2
    yield v2("version-1", put(meta_version=1))
    yield v2("version-3", put(meta_version=3))
    yield v2("version-string", put(meta_version="2"))
    yield v2("version-none", drop("meta version"))
    yield v2("version-none", drop("meta version"), "hybrid")
    yield v2("tree-none", drop("file tree"))
    yield v2("tree-none", drop("file tree"), "hybrid")
    yield v2("tree-empty", put(file_tree={}))
    yield v2("tree-list", put(file_tree=[]))
    yield v2("layers-none", layers=False)
    yield v2("layers-none", fmt="hybrid", layers=False)
    yield v2("layers-empty", outer={"piece layers": {}}, layers=False)
    for piece in (1024, 8192, 20000, 48 * K, 0, 128 << 20):
        yield v2(f"piece-length-{piece}", put(piece_length=piece))
    root, layer = v2_of(data, 16 * K)
    for name, rows in (("wrong", {root: bytes(96)}), ("short", {root: b"".join(layer)[:-32]}), ("odd", {root: b"".join(layer)[:-1]}),
                       ("long", {root: b"".join(layer) + bytes(32)}), ("foreign", {root: b"".join(layer), bytes(range(32)): bytes(64)}),
                       ("short-key", {root: b"".join(layer), b"abc": bytes(64)}), ("list", [b"".join(layer)])):
        yield v2("layer-" + name, outer={"piece layers": rows}, layers=False)

    def leaf(**keys):
        return put(file_tree={"a": {"": {k.replace("_", " "): v for k, v in keys.items()}}})

    yield v2("leaf-no-root", leaf(length=5))
    yield v2("leaf-short-root", leaf(length=5, pieces_root=bytes(31)))
    yield v2("leaf-zero-root", leaf(length=5, pieces_root=bytes(32)))
    yield v2("leaf-empty-with-root", leaf(length=0, pieces_root=bytes(range(32))))
    yield v2("leaf-no-length", leaf(pieces_root=bytes(range(32))))
    yield v2("leaf-negative", leaf(length=-5, pieces_root=bytes(range(32))))
    yield v2("leaf-huge", leaf(length=1 << 60, pieces_root=bytes(range(32))))
    yield v2("leaf-and-children", put(file_tree={"a": {"": {"length": 0}, "b": {"": {"length": 0}}}}))
    yield v2("leaf-at-the-top", put(file_tree={"": {"length": 0}}))
    yield v2("leaf-pad", put(file_tree={"a": {"": {"length": 0, "attr": "p"}}}))
    yield v2("folder-empty", put(file_tree={"a": {}, "b": {"": {"length": 0}}}))
    yield v2("leaf-list", put(file_tree={"a": {"": []}}))
    # hybrids whose halves disagree
    yield v2("halves-name", lambda i: i["files"][0].update(path=["x"]), "hybrid")
    yield v2("halves-size", lambda i: i["files"][0].update(length=39999), "hybrid")
    yield v2("halves-count", lambda i: i["files"].pop(), "hybrid")
    yield v2("halves-order", lambda i: i["files"].reverse(), "hybrid")
    yield v2("halves-no-pad", pad=False, fmt="hybrid")
    yield v2("halves-pad-size", lambda i: i["files"][1].update(length=5), "hybrid")
    yield v2("halves-pieces", lambda i: i.update(pieces=bytes(len(i["pieces"]))), "hybrid")
    yield v2("halves-pad-behind", lambda i: i["files"].append({"attr": "p", "length": 16379, "path": [".pad", "16379"]}), "hybrid")
    # what lies around the info dictionary
    for name, outer in (("announce-number", {"announce": 7}), ("announce-list-flat", {"announce-list": ["http://t.example/a"]}),
                        ("announce-list-number", {"announce-list": [[7]]}), ("announce-empty", {"announce": ""}),
                        ("url-list-string", {"url-list": "http://w.example/"}), ("url-list-number", {"url-list": 7}),
                        ("url-list-empty", {"url-list": ""}), ("url-list-bad", {"url-list": ["nonsense", "ftp://w/", ""]}),
                        ("nodes", {"nodes": [["127.0.0.1", 6881]]}), ("nodes-odd", {"nodes": ["x", [1, 2], ["h"]]}),
                        ("date-string", {"creation date": "now"}), ("date-negative", {"creation date": -1}),
                        ("comment-number", {"comment": 7}), ("created-by-list", {"created by": []}),
                        ("similar", {"similar": [bytes(20), b"short"]}), ("httpseeds", {"httpseeds": ["http://h.example/"]})):
        yield shape(f"around-{name}", "v1", one, single=True, outer=outer)


# ---- writing -----------------------------------------------------------------------------------------------------------

def lay(shoal, folder, torrent, files):
    """The content under the names shoal gives it; nothing where it refuses the torrent."""
    done = subprocess.run([shoal, "show", torrent, "--files", "--json"], capture_output=True, check=False, timeout=60)
    if done.returncode:
        return
    shown = [f for f in json.loads(done.stdout.splitlines()[-1])["files"] if not f.get("symlink")]
    if len(shown) != len(files):
        return
    for f, data in zip(shown, files):
        # The folder's path may be longer than a path can be: one component after another.
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        *above, last = os.fsencode(f.get("disk_path", f["path"])).split(b"/")
        for part in above:
            try:
                os.mkdir(part, dir_fd=at)
            except FileExistsError:
                pass
            deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = deeper
        with open(os.open(last, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=at), "wb") as out:
            out.write(data.data)
        os.close(at)


def shapes():
    yield from sound()
    yield from names()
    yield from broken()


def make(folder, shoal, wanted=lambda name: True):
    made = []
    for s in shapes():
        if not wanted(s.name):
            continue
        assert s.name not in made, s.name
        made.append(s.name)
        where = os.path.join(folder, s.name)
        os.makedirs(where)
        torrent = os.path.join(where, "t.torrent")
        with open(torrent, "wb") as out:
            out.write(s.torrent)
        lay(shoal, where, torrent, s.files)
    return made


if __name__ == "__main__":
    print(len(make(sys.argv[2], sys.argv[1])), "torrents in", sys.argv[2])
