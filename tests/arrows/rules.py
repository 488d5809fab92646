"""rules.py - what the tree promises about itself, as checks that take a root folder.

Each check yields lines "path:line: what". test_tree.py runs them over this tree,
test_rules.py over small trees with one planted fault each.
"""
import os
import re

TOP = {"CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE",
       "include", "proto", "dht", "swarm", "tools", "tests"}
LINES_MAX = 1000

# Room -> the rooms it may include from. The deepest folder named here wins.
ROOMS = {
    "include/shoal": {"include/shoal"},
    "proto/base": {"include/shoal", "proto/base"},
    "proto": {"include/shoal", "proto/base", "proto"},
    "dht": {"include/shoal", "proto/base", "proto", "dht"},
    # Decisions about peers and about pieces, which know no torrent and no node.
    "swarm/peers": {"include/shoal", "proto/base", "proto", "swarm/peers"},
    "swarm/pieces": {"include/shoal", "proto/base", "proto", "swarm/pieces"},
    "swarm/core": {"include/shoal", "proto/base", "proto", "dht", "swarm/peers", "swarm/pieces", "swarm/core"},
    "swarm/io": {"include/shoal", "proto/base", "proto", "dht", "swarm/peers", "swarm/pieces", "swarm/core", "swarm/io"},
    # These see an engine through <shoal/engine.h> alone, so that they run over any of the three.
    "swarm/dataset": {"include/shoal", "proto/base", "proto", "swarm/dataset"},
    "swarm/replica": {"include/shoal", "proto/base", "proto", "swarm/dataset", "swarm/replica"},
    "swarm/libtorrent": {"include/shoal", "swarm/libtorrent"},
    "swarm/face": {"include/shoal", "proto/base", "proto", "swarm/dataset", "swarm/replica", "swarm/face"},
    # The virtual world: real nodes under virtual time.
    "tools/lab/world": {"include/shoal", "proto/base", "proto", "dht", "swarm/peers", "swarm/pieces", "swarm/core",
                        "tools/lab/world"},
}
# Rooms without sockets, files, threads or clocks, and the only system headers they may name.
SANS_IO = {"include/shoal", "proto/base", "proto", "dht", "swarm/peers", "swarm/pieces", "swarm/core", "swarm/dataset",
           "swarm/replica", "tools/lab/world"}
PURE_HEADERS = {
    "assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "math.h", "stdalign.h", "stdarg.h",
    "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdlib.h", "string.h", "strings.h",
    "endian.h", "uthash.h", "utlist.h",
    "stdio.h",    # for snprintf alone: test_symbols.py sees that no FILE is touched
    "sys/uio.h",  # for struct iovec alone, the shape of a gathered write
}
BASE_HEADERS = {  # the digests' kernels
    "cpuid.h", "immintrin.h", "arm_neon.h", "arm_acle.h", "sys/auxv.h",
    "openssl/evp.h", "openssl/sha.h", "openssl/crypto.h",
}
# (file, header) that one file alone may use, with the reason.
EXCEPT = {
    ("proto/base/slots.c", "sys/mman.h"): "anonymous memory, given back to the kernel whole: no file",
    ("proto/base/slots.c", "sanitizer/asan_interface.h"): "a free slot is poisoned in sanitized builds",
}

# Calls with no bound, no error result or a hidden state; each has a checked sister.
BANNED = re.compile(
    r"(?<![\w.>])(strcpy|strcat|stpcpy|sprintf|vsprintf|atoi|atol|atoll|atof|strtok|alloca|gets|"
    r"v?f?s?scanf|tmpnam|mktemp|system|popen|rand|srand)\s*\(")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LITERALS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def room_of(path):
    """The room a path lies in: "" above all rooms (tools, tests)."""
    folder = os.path.dirname(path)
    while folder and folder not in ROOMS:
        folder = os.path.dirname(folder)
    return folder


def sources(root, endings=(".c", ".h", ".cc", ".hpp")):
    for top in ("include", "proto", "dht", "swarm", "tools", "tests"):
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders[:] = [f for f in folders if f not in ("corpus", "data", "__pycache__")]
            for name in sorted(files):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(folder, name), root)


def text_of(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def bare(text):
    """Code without comments and literals, each line where it was."""
    return LITERALS.sub(lambda m: " " + "\n" * m.group().count("\n"), text)


def check_arrows(root):
    for path in sources(root):
        room = room_of(path)
        for number, line in enumerate(text_of(root, path).split("\n"), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            kind, name = found.groups()
            where = f"{path}:{number}"
            if kind == '"':
                if not os.path.exists(os.path.join(root, name)):
                    yield f'{where}: "{name}" is not a path from the top of the tree'
                elif room and room_of(name) not in ROOMS[room]:
                    yield f"{where}: {room} may not include {name}"
            elif name.startswith("shoal/"):
                if room == "proto/base" and name != "shoal/types.h" or room == "proto" and name == "shoal/engine.h":
                    yield f"{where}: {room} knows no engine: <{name}>"
            elif room in SANS_IO and name not in PURE_HEADERS and (path, name) not in EXCEPT:
                if room != "proto/base" or name not in BASE_HEADERS:
                    yield f"{where}: {room} does no I/O: <{name}>"


def check_calls(root):
    for path in sources(root):
        for number, line in enumerate(bare(text_of(root, path)).split("\n"), 1):
            for found in BANNED.finditer(line):
                yield f"{path}:{number}: {found.group(1)}() is banned here"


def check_sizes(root):
    for path in sources(root, (".c", ".h", ".cc", ".hpp", ".py", ".sh")):
        count = text_of(root, path).count("\n")
        if count > LINES_MAX:
            yield f"{path}:{count}: more than {LINES_MAX} lines: look for the second noun"


def check_top(root):
    for name in sorted(os.listdir(root)):
        if name not in TOP and not name.startswith(".") and name != "build":
            yield f"{name}:1: does not belong at the top level"


CHECKS = [check_arrows, check_calls, check_sizes, check_top]


def faults(root):
    return [line for check in CHECKS for line in check(root)]
