"""closed.py - puts a test into a network namespace of its own, under the Python that libtorrent's module is for."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
NETNS = os.path.join(HERE, "..", "..", "tools", "netns")
PYTHON = "/usr/bin/python3"  # the one Debian's libtorrent module belongs to


def enter():
    """Runs the script again where nothing can leave the machine; returns there. Called before anything that needs
    libtorrent is imported. A first argument that is a file is the shoal to test (else SHOAL, else the PATH's)."""
    sys.dont_write_bytecode = True
    if os.environ.get("SHOAL_INTEROP_INSIDE") == "1":
        return
    if len(sys.argv) > 1 and os.path.isfile(sys.argv[1]):
        os.environ["SHOAL"] = os.path.abspath(sys.argv.pop(1))
    os.environ["SHOAL_INTEROP_INSIDE"] = "1"
    os.execv(NETNS, [NETNS, PYTHON, "-B", os.path.abspath(sys.argv[0]), *sys.argv[1:]])
