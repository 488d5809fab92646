"""cases_dht.py - what a node of the DHT hears from those who mean no good: messages, tokens, answers, nodes, floods
(D01 to D15, but for what is stored: cases_items.py)."""
import os
import socket
import struct
import time

import ed25519
import krpc
from content import Content
from krpc import bencode, compact, query
from scene import BOUNDED, COMPLETES, IGNORED, REFUSED, case
from target import Seeder
from wire import Unexpected

PROTOCOL, NO_ROOM, UNKNOWN = 203, 202, 204
HASH = b"\x5a" * 20
SEED = bytes(range(32))  # of the key that signs items


def stranger(c, k=0, deaf=False, **kw):
    """A node of ours, at hostile address `k`. `deaf`: it answers nobody, so its address is never proved."""
    n = c.town.add(c.source(k), **kw)
    n.deaf = deaf
    return n


def up(c):
    """The target's DHT answers; gives its id."""
    return c.town.nodes[0].need(c.target, "ping", 10 * c.patience)[b"id"]


def silent(c, packets):
    """None of them is answered; a good one is."""
    up(c)
    n = stranger(c, deaf=True)
    for i, data in enumerate(packets):
        n.send(data, c.target)
        if i % 100 == 99:
            time.sleep(0.01)
    time.sleep(0.3 * c.patience)
    if n.answers:
        raise Unexpected(f"answered: {list(n.answers.values())[0]}")
    up(c)


# ---- messages ----

@case("D01a", "KRPC messages cut at each byte, and noise of 1 to 1,500 bytes that begins like one", IGNORED, town=1)
def _(c):
    good = query("get_peers", info_hash=HASH, want=["n4", "n6"], scrape=1)
    silent(c, [good[:n] for n in range(len(good))] + [b"d" + os.urandom(n) for n in range(1500)])


BAD = [
    ("D01b", "bytes behind a good question", [query("ping") + b"x", query("find_node", target=HASH) + query("ping")]),
    ("D01c", "transaction ids of 0, 33 and 1,000 bytes", [query("ping", b"t" * n) for n in (0, 33, 1000)]),
    ("D01d", "node ids of 0, 19, 21 and 1,000 bytes, and none", [query("ping", id=b"i" * n) for n in (0, 19, 21, 1000)] +
     [b"d1:ade1:q4:ping1:t2:aa1:y1:qe"]),
    ("D01e", "lengths that are negative, beyond the end, with leading zeros, and of 30 digits",
     [query("ping").replace(b"2:aa", n + b":aa") for n in (b"-2", b"02", b"2147483648", b"9" * 30, b"18446744073709551618")]),
    ("D01f", "1,000 lists in each other, under a key nobody knows", [query("ping", zz=[]).replace(b"le", b"l" * n + b"e" * n)
                                                                    for n in (100, 600)]),
    ("D01g", "good questions of 2,049 bytes and more", [query("ping", zz=b"z" * n) for n in (2048, 4000, 9000, 60000)]),
]
for id_, what_, packets_ in BAD:
    @case(id_, what_, IGNORED, town=1)
    def _(c, packets=packets_):
        silent(c, packets)


@case("D01h", "a method nobody knows, and one that is not offered (BEP 51)", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    for method in ("explode", "sample_infohashes"):
        if n.code(c.target, method, target=HASH) != UNKNOWN:
            raise Unexpected(f"{method} was answered")


@case("D01i", "find_node, get_peers, get without a target", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    for method in ("find_node", "get_peers", "get", "announce_peer"):
        if n.code(c.target, method, token=b"t", port=1) != PROTOCOL:
            raise Unexpected(f"{method} was answered")


def announce(c, n, hash_=HASH, token=None, **more):
    """The number of the refusal."""
    token = n.need(c.target, "get_peers", info_hash=hash_)[b"token"] if token is None else token
    return n.code(c.target, "announce_peer", info_hash=hash_, token=token, **{"port": 6881, **more})


def told(c, n, hash_=HASH):
    return n.need(c.target, "get_peers", info_hash=hash_).get(b"values", [])


def put(c, n, v, token=None, seq=None, salt=b"", key=None, sig=None, **more):
    """(the target, the number of the refusal). With `seq` a signed item; `key` and `sig` override what is true."""
    args = dict(more)
    if seq is not None:
        args.update(k=key or ed25519.public(SEED), seq=seq,
                    sig=ed25519.sign(SEED, krpc.signed_text(seq, bencode(v), salt)) if sig is None else sig)
        if salt:
            args["salt"] = salt
    target = krpc.target_of(args["k"], salt) if "k" in args else krpc.target_of(bencode(v))
    if token is None:
        token = n.need(c.target, "get", target=target)[b"token"]
    return target, n.code(c.target, "put", v=v, token=token, **args)


@case("D01j", "announces for ports -1, 0, 65,536 and 72,417", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    token = n.need(c.target, "get_peers", info_hash=HASH)[b"token"]
    for port in (-1, 0, 65536, 72417, 1 << 40):
        n.ask(c.target, "announce_peer", 0.3, info_hash=HASH, token=token, port=port)
    if told(c, n):
        raise Unexpected("it took one of them")


# ---- a tool against others ----

def asked(n, c, packets):
    """Bytes sent and heard, for questions of one kind."""
    before = n.heard
    for data in packets:
        n.send(data, c.target)
        time.sleep(0.01)
    time.sleep(0.3 * c.patience)
    return sum(map(len, packets)), n.heard - before


@case("D02a", "each kind of question from an address that is not proved: three bytes for one, at most", BOUNDED, town=12)
def _(c):
    up(c)
    c.until(lambda: sum(bool(n.asked) for n in c.town.nodes) >= 9, 20, "the target knows enough for a full answer")
    for k in range(20):
        if announce(c, stranger(c, 10 + k)):
            raise Unexpected("an honest announce was refused")
    n = stranger(c, deaf=True)
    kinds = {"ping": {}, "find_node": {"target": HASH, "want": ["n4", "n6"]}, "get_peers": {"info_hash": HASH},
             "get": {"target": HASH}, "put": {"v": "x", "token": b""}, "announce_peer": {"info_hash": HASH, "token": b""}}
    for method, args in kinds.items():
        sent, heard = asked(n, c, [query(method, b"t", **args)] * 20)
        if heard > 3 * sent:
            raise Unexpected(f"{method}: {heard} bytes for {sent}")
    if not n.heard:
        raise Unexpected("it answers nothing")


@case("D02b", "a large item, asked for from an address that is not proved: it is not sent there", BOUNDED, town=1)
def _(c):
    up(c)
    target, code = put(c, stranger(c, 1), v=b"x" * 900)
    if code:
        raise Unexpected(f"an honest put was refused: {code}")
    n = stranger(c, deaf=True)
    sent, heard = asked(n, c, [query("get", b"t", target=target)] * 20)
    if heard > 3 * sent:
        raise Unexpected(f"{heard} bytes for {sent}")
    if b"v" not in stranger(c, 2).need(c.target, "get", target=target):
        raise Unexpected("who is proved does not get it")


@case("D02c", "20,000 questions from 30 places: all answers together are 32 KiB a second", BOUNDED, town=4)
def _(c):
    up(c)
    c.until(lambda: all(n.asked for n in c.town.nodes), 20, "the target knows the town")
    places, began = [stranger(c, k, deaf=True) for k in range(30)], time.monotonic()
    for i in range(20000):
        places[i % 30].send(query("find_node", target=HASH), c.target)
        if i % 50 == 49:
            time.sleep(0.005)
    time.sleep(0.3)
    heard, most = sum(n.heard for n in places), (4 + time.monotonic() - began + 1) * 32768
    if heard > most:
        raise Unexpected(f"{heard} bytes of answers, {most:.0f} are the limit")
    time.sleep(1)
    up(c)


@case("D02d", "a host that asks 600 times in three seconds: its share is answered, and others are served", BOUNDED, town=1, net=11)
def _(c):
    up(c)
    n, began = stranger(c), time.monotonic()
    for i in range(600):
        n.send(query("ping", struct.pack(">I", i)), c.target)
        time.sleep(0.005)
    stranger(c, 1).need(c.target, "ping")
    most = 32 + 8 * (time.monotonic() - began + 1)
    if len(n.answers) > most:
        raise Unexpected(f"{len(n.answers)} answers, {most:.0f} are the limit")


@case("D02e", "100 hosts of one network ask 1,000 times: its share is answered, and others are served", BOUNDED, town=1, net=11)
def _(c):
    up(c)
    began = time.monotonic()
    many = [c.town.add(f"11.200.{c.start.low}.{k + 1}") for k in range(100)]
    for i in range(1000):
        many[i % 100].send(query("ping", struct.pack(">I", i)), c.target)
        time.sleep(0.002)
    stranger(c, 1).need(c.target, "ping")
    count, most = sum(len(n.answers) for n in many), 128 + 32 * (time.monotonic() - began + 1)
    if count > most:
        raise Unexpected(f"{count} answers, {most:.0f} are the limit")


# ---- whom it knows ----

def table(c, n):
    """All nodes it names to one who asks for many places: (id, address)."""
    out = set()
    for k in range(32):
        rows = n.need(c.target, "find_node", target=bytes([8 * k]) + os.urandom(19)).get(b"nodes", b"")
        out |= {(rows[i:i + 20], rows[i + 20:i + 26]) for i in range(0, len(rows), 26)}
    return out


def knock(c, nodes, seconds):
    """They ask, and are asked back: one every half second."""
    end = time.monotonic() + seconds * c.patience
    while time.monotonic() < end and not all(any(a[0] == "ping" for a in n.asked) for n in nodes):
        for n in nodes:
            n.send(query("ping", os.urandom(4), id=n.id), c.target)
        time.sleep(0.6)


@case("D04a", "16 nodes of one network want to be known: two are", BOUNDED, town=1, net=11, slow=12)
def _(c):
    up(c)
    many = [c.town.add(f"11.201.{c.start.low}.{k + 1}", id=bytes([16 * k]) + os.urandom(19)) for k in range(16)]
    knock(c, many, 10)
    ours = {compact(n.place) for n in many}
    known = {row[1] for row in table(c, c.town.nodes[0])} & ours
    if not 1 <= len(known) <= 2:
        raise Unexpected(f"it knows {len(known)} of them")


@case("D04b", "eight with ids that are not theirs fill a bucket; who has earned his gets in", BOUNDED, town=1, net=11, slow=12)
def _(c):
    far = bytes([up(c)[0] ^ 0x80])
    squat = [stranger(c, k, id=far + os.urandom(19)) for k in range(9)]
    knock(c, squat, 8)
    k = next(k for k in range(20, 250) if (krpc.earned_id(c.source(k))[0] ^ far[0]) & 0x80 == 0)
    late = stranger(c, k, id=krpc.earned_id(c.source(k)))
    knock(c, [late], 3)
    time.sleep(0.3)
    if late.id not in {row[0] for row in table(c, c.town.nodes[0])}:
        raise Unexpected("there is no room for it")


# ---- tokens ----

@case("D06a", "announces with no token, made-up ones, short and long ones", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    for token in (b"", b"\0" * 8, b"token", os.urandom(8), os.urandom(64), b"x" * 900):
        if announce(c, n, token=token) != PROTOCOL:
            raise Unexpected(f"taken with {token[:8]!r}")
    if told(c, n):
        raise Unexpected("it is kept")


@case("D06b", "an announce with another host's token", REFUSED, town=1)
def _(c):
    up(c)
    token = stranger(c, 1).need(c.target, "get_peers", info_hash=HASH)[b"token"]
    if announce(c, stranger(c), token=token) != PROTOCOL:
        raise Unexpected("it was taken")


@case("D06c", "an announce with the token of another torrent", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    token = n.need(c.target, "get_peers", info_hash=b"\1" * 20)[b"token"]
    if announce(c, n, token=token) != PROTOCOL:
        raise Unexpected("it was taken")


@case("D06d", "puts with no token, a made-up one, another host's", REFUSED, town=1)
def _(c):
    up(c)
    n, v = stranger(c), b"value"
    foreign = stranger(c, 1).need(c.target, "get", target=krpc.target_of(bencode(v)))[b"token"]
    for token in (b"", os.urandom(8), foreign):
        target, code = put(c, n, v=v, token=token)
        if code != PROTOCOL or b"v" in n.need(c.target, "get", target=target):
            raise Unexpected(f"taken: {code}")


# ---- false answers ----

def found_through_town(c, hook):
    """A leech that has only the DHT; one honest seeder announced there; who is dialled and must not be is the trap."""
    c.found_town()
    trap, s = c.seeder(7), c.honest_seeder(delay=0.03)
    place = (s.address, 7000)
    for n in c.town.nodes:
        n.hook = lambda *a: hook(*a, compact((trap.address, 7000)))
        n.peers = {h: [place] for h in (c.content.sha1, c.content.sha256[:20]) if h}
    c.get(told=False)
    c.complete(30)
    if trap.greetings or trap.live:
        raise Unexpected("it believed a false answer")


@case("D07a", "answers under transaction numbers that were guessed", COMPLETES, role="get", town=2)
def _(c):
    def hook(n, method, args, from_, honest, trap):
        if method == "get_peers":
            for bit in range(0, 32, 2):
                tid = bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(n.tid))
                n.send(bencode({"r": {**honest, "values": [trap]}, "t": tid, "y": "r"}), from_)
        return honest
    found_through_town(c, hook)


@case("D07b", "the right transaction number, from another address", COMPLETES, role="get", town=2)
def _(c):
    elsewhere = krpc.Town()
    other = elsewhere.add(c.source(3))

    def hook(n, method, args, from_, honest, trap):
        if method == "get_peers":
            other.send(bencode({"r": {**honest, "values": [trap]}, "t": n.tid, "y": "r"}), from_)
            time.sleep(0.02)
        return honest
    try:
        found_through_town(c, hook)
    finally:
        elsewhere.stop()


@case("M12a", "a magnet link whose torrent turns out to be private: the DHT hears no more of it", COMPLETES, role="get", town=3)
def _(c):
    c.content = Content("hybrid", c.content.data, c.content.piece, private=True)
    c.found_town()
    s = c.honest_seeder(delay=0.06, metadata=lambda i, d: (time.sleep(1), d)[1])
    ours = {c.content.sha1, c.content.sha256[:20]}
    for n in c.town.nodes:
        n.peers = {h: [(s.address, 7000)] for h in ours}
    c.get(magnet=True)  # told of the seed by the user, too: whom the DHT alone knows it lets go of then
    if not c.program.wait("metadata", 20):
        raise Unexpected("no metadata")
    if not any(args.get(b"info_hash") in ours for n in c.town.nodes for _, args, _ in n.asked):
        raise Unexpected("the DHT was not asked before, either")
    time.sleep(0.5)  # what was on its way
    before = [len(n.asked) for n in c.town.nodes]
    c.complete(30)
    after = [m for n, k in zip(c.town.nodes, before) for m, args, _ in n.asked[k:] if args.get(b"info_hash") in ours]
    if after:
        raise Unexpected(f"it goes on: {after}")


# ---- nodes and peers that are victims ----

def named(c, rows, seconds):
    """A leech whose town answers everything with `rows` (row(k) for fresh ones) for so long."""
    c.found_town()
    count = [0]

    def hook(n, method, args, from_, honest):
        if method in ("find_node", "get_peers"):
            honest["nodes"] = b"".join(os.urandom(20) + rows(count[0] + i) for i in range(8)) + honest["nodes"][:52]
            count[0] += 8
        return honest
    for n in c.town.nodes:
        n.hook = hook
    c.get(told=False)
    time.sleep(seconds)
    if count[0] < 8:
        raise Unexpected("the target asked nobody")


@case("D11a", "every answer names a victim, under many ids and ports: it gets two packets", BOUNDED, role="get", town=3, net=11,
      slow=12)
def _(c):
    watch, at = krpc.Town(), f"11.99.{c.start.low}.9"
    victim = [watch.add(at, port=2000 + k) for k in range(64)]
    for n in victim:
        n.deaf = True
    try:
        named(c, lambda k: compact((at, 2000 + k % 64)), 10)
    finally:
        watch.stop()
    came = sum(len(n.asked) for n in victim)
    if not 1 <= came <= 2:
        raise Unexpected(f"{came} packets")


def never_asked(c, place):
    victim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    victim.bind(place)
    victim.setblocking(False)
    try:
        named(c, lambda k: compact(place), 3)
        victim.recv(2048)
    except BlockingIOError:
        return
    finally:
        victim.close()
    raise Unexpected("one was asked")


@case("D11b", "nodes with ports below 1,024", IGNORED, role="get", town=3, net=11, slow=3)
def _(c):
    never_asked(c, (f"11.99.{c.start.low}.9", 53))


@case("D11c", "nodes on our own machine, named by somebody outside", IGNORED, role="get", town=3, net=11, slow=3)
def _(c):
    never_asked(c, (f"127.9.9.{c.start.low}", 4000))


@case("D11d", "peers on our own machine, named by somebody outside", COMPLETES, role="get", town=2, net=11)
def _(c):
    trap = Seeder(c.content, f"127.9.9.{c.start.low}", port=7000)

    def hook(n, method, args, from_, honest, _):
        if method == "get_peers":
            honest["values"] = [compact((trap.address, 7000))] + honest.get("values", [])
        return honest
    try:
        found_through_town(c, hook)
    finally:
        trap.stop()
    if trap.greetings or trap.live:
        raise Unexpected("it was dialled")


# ---- ourselves ----

@case("D12a", "twelve nodes of one network tell the target a false address: it stays who it is", IGNORED, town=12, net=11)
def _(c):
    def hook(n, method, args, from_, honest):
        return bencode({"ip": compact(("12.34.56.78", 1)), "r": honest, "t": n.tid, "y": "r"})
    for n in c.town.nodes:
        n.hook = hook
    before = up(c)
    many = [stranger(c, k) for k in range(2)]
    for n in many:
        n.need(c.target, "ping")
    for n in c.town.nodes[:12]:  # who asks is asked back, and answers with the lie
        n.need(c.target, "ping")
        time.sleep(0.55)
    if up(c) != before:
        raise Unexpected("it has another id now")


@case("D14a", "every node names eight that are closer, half of them dead, without end: a search ends", BOUNDED, role="get", town=1,
      net=11, slow=25)
def _(c):
    lure(c, lambda k: k % 2)


@case("D14b", "every node names eight that are closer, without end: a search ends", BOUNDED, role="get", town=1, net=11, slow=25)
def _(c):
    lure(c, lambda k: False)


def lure(c, dead):
    c.found_town()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: where it came to, and whence it is answered
    s.bind(("0.0.0.0", 0))
    s.settimeout(0.1)
    port, ids, asked, over, made = s.getsockname()[1], {}, {}, set(), [0]

    def fresh(target):
        """Eight nodes, each in a network of its own, and closer than any before."""
        rows = b""
        for _ in range(8):
            made[0] += 1
            k = made[0]
            at = f"11.{100 + k // 250 % 90}.{k % 250}.{c.start.low}"
            near = int.from_bytes(target, "big") ^ (1 << max(150 - k // 8, 8)) ^ k
            ids[at] = near.to_bytes(20, "big"), k  # who has earned his id is not as close as that
            rows += ids[at][0] + compact((at, port))
        return rows

    def hook(n, method, args, from_, honest):
        if method == "get_peers":
            honest["nodes"] = fresh(args[b"info_hash"])
        return honest
    c.town.nodes[0].hook = hook
    c.get(told=False)
    end = time.monotonic() + 25
    while time.monotonic() < end and len(over) < 2:
        try:
            data, anc, _, from_ = s.recvmsg(2048, 64)
        except TimeoutError:
            continue
        m, info = krpc.bdecode(data)[0], anc[0][2]
        target = m.get(b"a", {}).get(b"info_hash")
        if m[b"y"] != b"q" or target is None:
            continue
        if m[b"q"] == b"announce_peer":  # so it ends
            over.add(target)
        elif target not in over:
            asked[target] = asked.get(target, 0) + 1
        id_, k = ids.get(socket.inet_ntoa(info[8:12]), (b"x" * 20, 0))
        if dead(k):
            continue
        said = bencode({"r": {"id": id_, "token": b"t", "nodes": fresh(target)}, "t": m[b"t"], "y": "r"})
        s.sendmsg([said], [(socket.IPPROTO_IP, 8, bytes(4) + info[8:12] + bytes(4))], 0, from_)
    s.close()
    most = max(asked.values(), default=0)
    if not 8 <= most <= 64:
        raise Unexpected(f"{most} questions for one target")


@case("D15a", "who says that it answers nobody is neither asked nor named (BEP 43)", IGNORED, town=1, slow=3)
def _(c):
    up(c)
    n = stranger(c, id=b"\xa5" * 20)
    for _ in range(5):
        n.send(query("ping", os.urandom(4), id=n.id, ro=1), c.target)
        time.sleep(0.6)
    if n.asked:
        raise Unexpected("it was asked")
    if n.id in {row[0] for row in table(c, c.town.nodes[0])}:
        raise Unexpected("it is named")
