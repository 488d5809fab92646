"""wire.py - the peer protocol as raw bytes: right, wrong, cut, or never ending (BEP 3, 6, 9, 10, 11, 52).

A Peer is one connection. Nothing here refuses to send anything; what comes back is read strictly enough to say whether
the other side closed, answered, or let us wait. Every wait has an end.
"""
import os
import select
import socket
import struct
import time

PROTOCOL = b"\x13BitTorrent protocol"
BLOCK = 16384
CHOKE, UNCHOKE, INTERESTED, NOT_INTERESTED, HAVE, BITFIELD, REQUEST, PIECE, CANCEL, PORT = range(10)
SUGGEST, HAVE_ALL, HAVE_NONE, REJECT, ALLOWED_FAST = range(13, 18)
EXTENDED, HASH_REQUEST, HASHES, HASH_REJECT = range(20, 24)
U32 = 0xFFFFFFFF
# Reserved bits: extension protocol, fast, v2, DHT.
EXT_BIT, FAST_BIT, V2_BIT, DHT_BIT = (5, 0x10), (7, 0x04), (7, 0x10), (7, 0x01)
OUR_METADATA, OUR_DONTHAVE, OUR_PEX, OUR_LEAVES = 31, 32, 33, 34  # what we want to be sent; never what others usually have


class Unexpected(Exception):
    """The target did not do what was expected of it."""


class Closed(Exception):
    """The connection has ended."""


def message(kind, body=b""):
    return struct.pack(">IB", len(body) + 1, kind) + body


def words(*numbers):
    return struct.pack(">%dI" % len(numbers), *(n & U32 for n in numbers))


def request(piece, begin=0, length=BLOCK):
    return message(REQUEST, words(piece, begin, length))


def extended(number, body):
    return message(EXTENDED, bytes([number & 255]) + body)


def bencode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, (list, tuple)):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    items = sorted((k.encode() if isinstance(k, str) else k, v) for k, v in value.items())
    return b"d" + b"".join(bencode(k) + bencode(v) for k, v in items) + b"e"


def bdecode(raw, at=0):
    """The value that begins at `at`, and where it ends."""
    head = raw[at:at + 1]
    if head == b"i":
        end = raw.index(b"e", at)
        return int(raw[at + 1:end]), end + 1
    if head in (b"l", b"d"):
        items, at = [], at + 1
        while raw[at:at + 1] != b"e":
            item, at = bdecode(raw, at)
            items.append(item)
        return (items if head == b"l" else dict(zip(items[::2], items[1::2]))), at + 1
    colon = raw.index(b":", at)
    end = colon + 1 + int(raw[at:colon])
    if end > len(raw):
        raise ValueError("a string longer than what is there")
    return raw[colon + 1:end], end


def handshake(info_hash, peer_id=None, bits=(EXT_BIT, FAST_BIT), protocol=PROTOCOL):
    reserved = bytearray(8)
    for byte, bit in bits:
        reserved[byte] |= bit
    return protocol + bytes(reserved) + info_hash + (peer_id or new_id())


def new_id():
    return b"-HO0001-" + os.urandom(6).hex().encode()


class Peer:
    """One connection to (or from) the target. `data` is what has come and is not read yet."""

    def __init__(self, sock):
        self.sock = sock
        self.data = b""
        self.hello = None    # the other side's handshake, 68 bytes
        self.ext = {}        # its extension numbers by name
        self.metadata_size = None
        self.choking = True  # it chokes us
        self.seen = {}       # messages by id: how many came
        self.allowed = set() # pieces it gives to the choked, too (BEP 6)

    @classmethod
    def dial(cls, target, source=None, timeout=10):
        sock = socket.create_connection(target, timeout, (source, 0) if source else None)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def raw(self, data):
        """Sends all of it, reading nothing; a connection that has ended is no error here, expect_closed() will see it."""
        try:
            self.sock.settimeout(20)
            self.sock.sendall(data)
        except socket.timeout:
            raise Unexpected("the target reads nothing for 20 s") from None
        except OSError:
            pass
        return self

    def say(self, kind, body=b""):
        return self.raw(message(kind, body))

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # ---- reading ----

    def _more(self, end):
        left = end - time.monotonic()
        if left <= 0:
            return False
        self.sock.settimeout(left)
        try:
            got = self.sock.recv(1 << 17)
        except socket.timeout:
            return False
        except OSError as e:
            raise Closed(str(e)) from None
        if not got:
            raise Closed("end of stream")
        self.data += got
        return True

    def take(self, count, end):
        while len(self.data) < count:
            if not self._more(end):
                return None
        out, self.data = self.data[:count], self.data[count:]
        return out

    def read_handshake(self, within=10):
        self.hello = self.take(68, time.monotonic() + within)
        if self.hello is None:
            raise Unexpected(f"no handshake within {within} s")
        if not self.hello.startswith(PROTOCOL):
            raise Unexpected("that is no BitTorrent handshake")
        return self

    def read(self, end):
        """The next message as (id, body), keep-alives left out; None when the time is up."""
        while True:
            while len(self.data) < 4:
                if not self._more(end):
                    return None
            length = struct.unpack(">I", self.data[:4])[0]
            if length > 4 << 20:
                raise Unexpected(f"a message of {length} bytes")
            while len(self.data) < 4 + length:
                if not self._more(end):
                    return None
            frame, self.data = self.data[4:4 + length], self.data[4 + length:]
            if not frame:
                continue
            self._note(frame[0], frame[1:])
            return frame[0], frame[1:]

    def _note(self, kind, body):
        self.seen[kind] = self.seen.get(kind, 0) + 1
        if kind in (CHOKE, UNCHOKE):
            self.choking = kind == CHOKE
        elif kind == ALLOWED_FAST:
            self.allowed.add(int.from_bytes(body, "big"))
        elif kind == EXTENDED and body[:1] == b"\0":
            try:
                said = bdecode(body, 1)[0]
                self.ext.update({k.decode("latin1"): v for k, v in said.get(b"m", {}).items()})
                self.metadata_size = said.get(b"metadata_size", self.metadata_size)
            except (ValueError, AttributeError, IndexError):
                raise Unexpected("its extended handshake cannot be read") from None

    def wait_for(self, wanted, within=5):
        """Reads on until wanted(id, body), and gives that body. Closed when the connection ends first."""
        if isinstance(wanted, int):
            kind_wanted = wanted
            wanted = lambda kind, body: kind == kind_wanted  # noqa: E731
        end = time.monotonic() + within
        while True:
            got = self.read(end)
            if got is None:
                raise Unexpected(f"no answer within {within} s")
            if wanted(*got):
                return got[1]

    def settle(self, seconds=0.3):
        """Reads what comes for a while."""
        end = time.monotonic() + seconds
        while self.read(end) is not None:
            pass
        return self

    def unchoked(self, within=30):
        self.say(INTERESTED)
        end = time.monotonic() + within
        while self.choking:
            if self.read(end) is None:
                raise Unexpected(f"not unchoked within {within} s")
        return self

    # ---- judging ----

    def expect_closed(self, within=3):
        end = time.monotonic() + within
        self.data = b""
        try:
            while self._more(end):
                self.data = b""
        except Closed:
            return self
        raise Unexpected(f"the connection is still open after {within} s")

    def expect_open(self, seconds=0.5):
        """Still open after a while (what comes is read)."""
        try:
            return self.settle(seconds)
        except Closed:
            raise Unexpected("it closed the connection") from None

    def expect_served(self, content, piece=0, within=30):
        """The same connection still gives true bytes."""
        try:
            self.unchoked(within)
            begin, length = 0, min(BLOCK, content.piece_length(piece))
            self.raw(request(piece, begin, length))
            got = self.wait_for(lambda k, b: k == PIECE and b[:8] == words(piece, begin), within)
        except Closed:
            raise Unexpected("it closed the connection") from None
        if got[8:] != content.block(piece, begin, length):
            raise Unexpected("it sent false bytes")
        return self

    def flood(self, chunk, seconds, total=None):
        """Sends `chunk` again and again, reading (and dropping) what comes, so that neither side waits for the other.

        Returns the bytes sent. Ends early, without complaint, when the connection does.
        """
        end, sent, view = time.monotonic() + seconds, 0, memoryview(chunk)
        at = 0
        self.sock.setblocking(False)
        poll = select.poll()  # select() ends at descriptor 1,023
        poll.register(self.sock, select.POLLIN | select.POLLOUT)
        try:
            while time.monotonic() < end and (total is None or sent < total):
                what = sum(w for _, w in poll.poll(200))
                if what & (select.POLLIN | select.POLLHUP | select.POLLERR) and not self.sock.recv(1 << 18):
                    break
                if what & select.POLLOUT:
                    n = self.sock.send(view[at:])
                    sent += n
                    at = (at + n) % len(chunk)
        except BlockingIOError:
            pass
        except OSError:
            pass
        self.data = b""
        return sent
