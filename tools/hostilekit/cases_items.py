"""cases_items.py - what others have a node of the DHT store: too many, too large, badly signed, out of date (D08, D09)."""
import threading

import ed25519
import krpc
from cases_dht import PROTOCOL, SEED, announce, put, stranger, up
from krpc import bencode
from scene import BOUNDED, COMPLETES, REFUSED, case
from wire import Unexpected

TOO_BIG, BAD_SIGNATURE, SALT, CAS, OLD = 205, 206, 207, 301, 302


@case("D08a", "one host announces 80 torrents: 64 are kept", BOUNDED, town=1, net=11, slow=20)
def _(c):
    up(c)
    n, taken = stranger(c), 0
    for k in range(80):
        taken += announce(c, n, hash_=bytes([k]) * 20) == 0
    if not 60 <= taken <= 64:
        raise Unexpected(f"{taken} were taken")


@case("D08b", "one host puts 40 items: 32 are kept", BOUNDED, town=1, net=11, slow=10)
def _(c):
    up(c)
    n = stranger(c)
    taken = sum(put(c, n, v=b"item %d" % k)[1] == 0 for k in range(40))
    if not 30 <= taken <= 32:
        raise Unexpected(f"{taken} were taken")


def refused(c, n, want, **said):
    target, code = put(c, n, **said)
    if code != want:
        raise Unexpected(f"refused with {code}, not {want}" if code else "it was taken")
    return n.need(c.target, "get", target=target)


@case("D09a", "a salt of 65 and of 1,000 bytes", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    for length in (65, 1000):
        if b"v" in refused(c, n, SALT, v=b"x", seq=1, salt=b"s" * length):
            raise Unexpected("it is kept")


@case("D09b", "values of 1,001 bytes, with and without a signature", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    for seq in (None, 1):
        if b"v" in refused(c, n, TOO_BIG, v=b"x" * 997, seq=seq):
            raise Unexpected("it is kept")


@case("D09c", "signatures that are another's, of zeros, of another number, of another salt", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    true = krpc.signed_text(1, bencode(b"x"))
    for sig in (ed25519.sign(b"\1" * 32, true), bytes(64), ed25519.sign(SEED, true.replace(b"i1e", b"i2e")),
                ed25519.sign(SEED, krpc.signed_text(1, bencode(b"x"), b"s"))):
        if b"v" in refused(c, n, BAD_SIGNATURE, v=b"x", seq=1, sig=sig):
            raise Unexpected("it is kept")


def kept(c, n, seq=5, v=b"five"):
    target, code = put(c, n, v=v, seq=seq)
    if code:
        raise Unexpected(f"an honest put was refused: {code}")


def still(c, n, got, v=b"five"):
    if got.get(b"v") != v:
        raise Unexpected("the value is another now")


@case("D09d", "an older number over a newer one, well signed", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    kept(c, n)
    still(c, n, refused(c, n, OLD, v=b"four", seq=4))


@case("D09e", "another value under the same number, well signed", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    kept(c, n)
    still(c, n, refused(c, n, OLD, v=b"other", seq=5))


@case("D09f", "a newer value over another than it says (cas)", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    kept(c, n)
    still(c, n, refused(c, n, CAS, v=b"six", seq=6, cas=4))


@case("D09g", "halves of a signed item, and a number below zero", REFUSED, town=1)
def _(c):
    up(c)
    n = stranger(c)
    for said in ({"sig": bytes(64)}, {"salt": b"s"}, {"seq": 1, "k": ed25519.public(SEED)}):
        token = n.need(c.target, "get", target=krpc.target_of(bencode(b"x")))[b"token"]
        if n.code(c.target, "put", v=b"x", token=token, **said) != PROTOCOL:
            raise Unexpected("taken as something else")
    if b"v" in refused(c, n, PROTOCOL, v=b"x", seq=-1):
        raise Unexpected("it is kept")


def follow(c, lie, late):
    """A leech follows a name (BEP 46); what half of the nodes say of it is `lie`, said `late` or at once."""
    c.found_town()
    s, key = c.honest_seeder(), ed25519.public(SEED)
    true = {"ih": c.content.sha1}
    sig = ed25519.sign(SEED, krpc.signed_text(2, bencode(true)))
    for i, n in enumerate(c.town.nodes):
        n.peers = {h: [(s.address, 7000)] for h in (c.content.sha1, c.content.sha256[:20])}
        n.items = {krpc.target_of(key): {"k": key, "seq": 2, "sig": sig, "v": true}}

        def hook(n, method, args, from_, honest):
            if method != "get":
                return honest
            said = bencode({"r": {**honest, "k": key, **lie}, "t": n.tid, "y": "r"})
            if not late:
                return said
            threading.Timer(0.3, n.send, (said, from_)).start()
            return None
        n.hook = hook if i % 2 else None
    c.get(told=False, link="magnet:?xs=urn:btpk:" + key.hex())
    c.complete(30)


@case("D09h", "half of all nodes have a newer value for a name, that its owner never signed", COMPLETES, role="get", town=6)
def _(c):
    follow(c, {"seq": 9, "sig": bytes(64), "v": {"ih": b"\x66" * 20}}, False)


@case("D09i", "half of all nodes have an older value for a name, and say it last", COMPLETES, role="get", town=6)
def _(c):
    old = {"ih": b"\x66" * 20}
    follow(c, {"seq": 1, "sig": ed25519.sign(SEED, krpc.signed_text(1, bencode(old))), "v": old}, True)
