"""cases_floods.py - good messages, far too many; and data nobody asked for (W05, W08, W09, W14, W20, M04, M08, R11, V02)."""
import time

import wire
from scene import BOUNDED, CLOSED, case
from wire import (BLOCK, CANCEL, HASH_REJECT, HAVE, INTERESTED, NOT_INTERESTED, PIECE, REQUEST, SUGGEST, Unexpected, bencode,
                  extended, message, request, words)

SECONDS = 6  # a flood that is not ended by then has been tolerated
# Each chunk is sent again and again as fast as it goes; the target must end it.
FLOODS = [
    ("W05a", "HAVE of one piece, without end", lambda c: message(HAVE, words(0)) * 4096),
    ("W14a", "INTERESTED and not, without end", lambda c: (message(INTERESTED) + message(NOT_INTERESTED)) * 4096),
    ("W14b", "CHOKE and UNCHOKE, without end", lambda c: (message(wire.CHOKE) + message(wire.UNCHOKE)) * 4096),
    ("W20b", "keep-alives without end", lambda c: bytes(4) * 8192),
    ("W15i", "a kind nobody knows, without end", lambda c: message(201, b"?") * 4096),
    ("W15j", "SUGGEST without end", lambda c: message(SUGGEST, words(1)) * 4096),
    ("W06n", "CANCEL of nothing, without end", lambda c: message(CANCEL, words(0, 0, BLOCK)) * 2048),
    ("W06o", "requests while choked, without end", lambda c: request(0) * 2048),
    ("W15k", "REJECT of nothing, without end", lambda c: message(wire.REJECT, words(0, 0, BLOCK)) * 2048),
    ("W19b", "PORT without end", lambda c: message(wire.PORT, b"\x1a\xe1") * 4096),
    ("M07a", "an extension number never given out, without end", lambda c: extended(99, b"de") * 4096),
]
for id_, what_, chunk in FLOODS:
    @case(id_, what_, CLOSED, only_ours=True)
    def _(c, chunk=chunk):
        p = c.join().settle(0.1)
        p.flood(chunk(c), SECONDS * c.patience)
        p.expect_closed(1)


@case("W05b", "floods of HAVE from four peers; an honest one is served meanwhile", BOUNDED)
def _(c):
    import threading
    chunk = message(HAVE, words(0)) * 4096
    peers = [c.join(k) for k in range(4)]
    threads = [threading.Thread(target=p.flood, args=(chunk, 3)) for p in peers]
    for t in threads:
        t.start()
    took = c.honest(within=15)
    for t in threads:
        t.join()
    if took > 10 * c.patience:
        raise Unexpected(f"an honest peer needed {took:.1f} s")


@case("W06p", "100,000 good requests at once, answers read", BOUNDED, memory=16)
def _(c):
    p = c.join().unchoked()
    blocks = list(c.content.blocks())
    p.flood(b"".join(request(*blocks[i % len(blocks)]) for i in range(1000)), 3, total=100 * 17000)
    c.honest(within=10)


@case("R11b", "40 peers ask for 2,000 blocks each and read nothing", BOUNDED, memory=96, slow=30)
def _(c):
    blocks = list(c.content.blocks())
    asks = b"".join(request(*blocks[i % len(blocks)]) for i in range(2000))
    for k in range(40):
        c.dial(k).raw(c.hello() + message(INTERESTED))
    time.sleep(1)
    for p in c.peers:
        p.raw(asks)
    time.sleep(2)
    c.honest(within=45 / c.patience)  # sooner than those time out


@case("R11c", "300 peers each hold back the end of a message of 1 MiB", BOUNDED, memory=140)
def _(c):
    head = b"\0\x10\0\x02\x14\x02"
    body = bytes((1 << 20) - 8)
    for k in range(300):
        p = c.dial(k)
        p.raw(c.hello() + head + body)
    time.sleep(2)


@case("W08a", "blocks that were never asked for", CLOSED)
def _(c):
    p = c.join().settle(0.1)
    p.flood(message(PIECE, words(0, 0) + bytes(BLOCK)), SECONDS * c.patience, total=64 << 20)
    p.expect_closed(1)


@case("W09a", "false blocks over what the target has", CLOSED)
def _(c):
    p = c.join().settle(0.1)
    for piece, begin, length in list(c.content.blocks()) * 2:
        p.raw(message(PIECE, words(piece, begin) + b"\xee" * length))
    p.expect_closed(3)


@case("M08a", "extended handshakes without end", CLOSED)
def _(c):
    p = c.join().settle(0.1)
    p.flood(extended(0, bencode({"m": {"ut_metadata": 3}})) * 100, SECONDS * c.patience, total=100_000)
    p.expect_closed(1)


def pour(c, p, chunk, kind, seconds=3):
    """Sends `chunk` for a while and reads all that comes: the bytes of answers, and how many refusals."""
    import threading
    end = time.monotonic() + seconds
    def push():
        while time.monotonic() < end:
            try:
                p.sock.sendall(chunk)
            except OSError:
                return
    t = threading.Thread(target=push)
    p.sock.settimeout(30)
    t.start()
    got = refused = 0
    try:
        while time.monotonic() < end:
            came = p.read(end)
            if came is None:
                break
            got += len(came[1])
            refused += kind(*came)
    except wire.Closed:
        pass
    p.sock.close()
    t.join()
    return got, refused


@case("M04a", "metadata requests without end", BOUNDED, only_ours=True)
def _(c):
    p = c.join_ext()
    number = p.ext["ut_metadata"]
    chunk = extended(number, bencode({"msg_type": 0, "piece": 0})) * 64
    got, _ = pour(c, p, chunk, lambda k, b: 0)
    # 2 x the metadata and some small change a minute; refusals are small but many.
    share = 12 * len(c.content.info) + (1 << 20)
    if got > share:
        raise Unexpected(f"{got >> 10} KiB of metadata in 3 s for one peer")


# Each reads and hashes a whole piece: not more of it than a blame could ever want.
SHARES = [("V02a", "requests for leaf hashes without end", 100, {}),
          ("V02q", "requests for leaf hashes of pieces of 16 MiB, without end", 10, dict(size=33_000_000, piece=1 << 24))]
for id_, what_, most_, how in SHARES:
    @case(id_, what_, BOUNDED, only_ours=True, needs_v2=True, memory=96 if how else 48, **how)
    def _(c, most=most_):
        """One after the other: many at once are refused while a piece is being read."""
        p = c.join_v2().settle(0.1)
        per, pieces, given, end = c.content.piece // BLOCK, min(16, c.content.count), 0, time.monotonic() + 6
        for i in range(400):
            p.raw(message(wire.HASH_REQUEST, c.content.root + words(0, (i % pieces) * per, per, 0)))
            try:
                while (came := p.read(end)) is not None and came[0] not in (wire.HASHES, HASH_REJECT):
                    pass
            except wire.Closed:
                break
            if came is None:
                break
            given += came[0] == wire.HASHES
        if not 1 <= given <= most:
            raise Unexpected(f"{given} pieces read and hashed for one peer in 6 s")


@case("W06q", "REQUEST and CANCEL of it, without end", CLOSED, only_ours=True)
def _(c):
    p = c.join().unchoked()
    p.flood((request(0) + message(CANCEL, words(0, 0, BLOCK))) * 2000, 10 * c.patience)
    p.expect_closed(1)
