"""cases_hashes.py - BEP 52's hash messages: to a seed, bad requests; to a leech, forged layers and leaves (V01 to V03, V10)."""
import copy
import time

import wire
from scene import BANNED, BOUNDED, CLOSED, COMPLETES, IGNORED, REFUSED, case
from wire import BLOCK, HASH_REJECT, HASH_REQUEST, HASHES, U32, Unexpected, bencode, message, words

MANY = dict(size=40_000_000, piece=16384)  # 2,442 pieces: a layer of 4,096, asked for in two parts with a proof
FAR = dict(memory=96)

# (base, index, length, proof) of a request that cannot be answered.
RANGES = [
    ("V02b", "a layer that is none", lambda c: (1, 0, 2, 0)),
    ("V02c", "layer 2^32 - 1", lambda c: (U32, 0, 2, 0)),
    ("V02d", "length 0", lambda c: (c.content.layer_base, 0, 0, 0)),
    ("V02e", "length 3", lambda c: (c.content.layer_base, 0, 3, 0)),
    ("V02f", "an index that is no multiple of the length", lambda c: (c.content.layer_base, 1, 2, 0)),
    ("V02g", "an index behind the end", lambda c: (c.content.layer_base, 1 << 20, 2, 0)),
    ("V02h", "an index and a length that wrap around", lambda c: (c.content.layer_base, U32 - 1, 2, 0)),
    ("V02i", "length 2^31", lambda c: (c.content.layer_base, 0, 1 << 31, 0)),
    ("V02j", "length 16,384 leaves", lambda c: (0, 0, 16384, 0)),
    ("V02k", "leaves behind the end", lambda c: (0, 1 << 20, 4, 0)),
]
for id_, what_, ask in RANGES:
    @case(id_, f"a hash request: {what_}", REFUSED, needs_v2=True)
    def _(c, ask=ask):
        p = c.join_v2().settle(0.1)
        said = c.content.root + words(*ask(c))
        p.say(HASH_REQUEST, said)
        if p.wait_for(lambda k, b: k in (HASH_REJECT, HASHES), 5 * c.patience) != said or not p.seen.get(HASH_REJECT):
            raise Unexpected("it was not refused")
        good_request(c, p)


def good_request(c, p):
    """The same connection is still answered, and truly."""
    length = 1 << (len(c.content.layer) - 1).bit_length()
    ask = (c.content.layer_base, 0, length, 0)
    p.say(HASH_REQUEST, c.content.root + words(*ask))
    body = p.wait_for(HASHES, 5 * c.patience)
    if body[48:] != b"".join(c.content.hashes(*ask)):
        raise Unexpected("the hashes it sends are not the file's")


@case("V02l", "a hash request with 2^32 - 1 proof layers", "served", needs_v2=True)
def _(c):
    p = c.join_v2().settle(0.1)
    p.say(HASH_REQUEST, c.content.root + words(c.content.layer_base, 0, 2, U32)).settle(0.5)
    good_request(c, p)


@case("V02m", "a hash request for a root nobody has", REFUSED, needs_v2=True)
def _(c):
    p = c.join_v2().settle(0.1).say(HASH_REQUEST, b"\x77" * 32 + words(0, 0, 2, 0))
    p.wait_for(HASH_REJECT, 5 * c.patience)
    good_request(c, p)


@case("V02p", "5,000 hash requests for roots nobody has, of a torrent of 150,000 files: each is no work", BOUNDED, role="get", form="v2",
      memory=400)
def _(c):
    """The roots are made up, and so are the files: nobody has a byte of them."""
    files, root = 150_000, lambda k: k.to_bytes(32, "big")
    c.content = copy.copy(c.content)
    c.content.info = bencode({"file tree": {f"{k:06}": {"": {"length": 20_000, "pieces root": root(1 << 200 | k)}} for k in range(files)},
                              "meta version": 2, "name": "content", "piece length": 16384})
    c.content.torrent = b"d4:info" + c.content.info + b"e"
    c.content._hashes()
    said, asks = [], 5000

    def hello(peer):
        peer.raw(message(wire.HAVE_NONE))
        peer.settle(0.5)
        began = time.monotonic()
        for k in range(0, asks, 100):
            peer.raw(b"".join(message(HASH_REQUEST, root(k + i) + words(0, 0, 2, 0)) for i in range(100)))
            while peer.seen.get(HASH_REJECT, 0) < k + 100 and time.monotonic() < began + 60:
                peer.read(began + 60)
        said.append((peer.seen.get(HASH_REJECT, 0), time.monotonic() - began))
    c.seeder(hello=hello)
    c.get()
    c.until(lambda: said, 90, "the requests are answered")
    count, took = said[0]
    if count < asks or took > 2 * c.patience:
        raise Unexpected(f"{count} are answered in {took:.1f} s")


@case("V02n", "a hash request of 47 bytes", CLOSED, needs_v2=True)
def _(c):
    c.join_v2().settle(0.1).say(HASH_REQUEST, bytes(47)).expect_closed(3)


@case("V02o", "HASHES with half a hash", CLOSED, needs_v2=True)
def _(c):
    c.join_v2().settle(0.1).say(HASHES, bytes(48 + 80)).expect_closed(3)


@case("V01a", "HASHES nobody asked for", CLOSED, needs_v2=True)
def _(c):
    p = c.join_v2().settle(0.1)
    p.say(HASHES, c.content.root + words(c.content.layer_base, 0, 2, 0) + b"".join(c.content.layer[:2])).expect_closed(3)


@case("V03a", "HASH REJECT of leaves that were never asked for", IGNORED, needs_v2=True)
def _(c):
    p = c.join_v2().settle(0.1)
    for index in (0, 4, 1 << 20, U32 - 3):
        p.say(HASH_REJECT, c.content.root + words(0, index, 4, 0))
    good_request(c, p.settle(0.2))


# To a leech with a v2 magnet link, which has to ask for the piece layer. `truth`: what BEP 52 answers.
def zeros(truth):
    return [bytes(32)] * len(truth)


FORGED = [
    ("V01b", "the layer: all hashes zero", BANNED, zeros, {}),
    ("V01c", "the layer: one hash false", BANNED, lambda t: [bytes(32)] + t[1:], {}),
    ("V01d", "the layer: two hashes in each other's place", BANNED, lambda t: [t[1], t[0]] + t[2:], {}),
    ("V01e", "the layer: no hashes at all", COMPLETES, lambda t: [], {}),
    ("V01f", "the layer: half of it", COMPLETES, lambda t: t[:len(t) // 2], {}),
    ("V01g", "the layer and one hash more", COMPLETES, lambda t: t + [bytes(32)], {}),
    ("V01h", "a part of the layer: its proof false", BANNED, lambda t: t[:-1] + [bytes(32)], MANY),
    ("V01i", "a part of the layer: its proof too short", COMPLETES, lambda t: t[:-1], MANY),
    ("V01j", "a part of the layer: its proof too long", COMPLETES, lambda t: t + [t[-1]], MANY),
]
for id_, what_, expect_, forge, how in FORGED:
    @case(id_, what_, expect_, role="get", form="v2", memory=160 if how else 64, **how)
    def _(c, forge=forge, expect=expect_):
        c.seeder(hashes=lambda body, asked, truth: forge(truth), block=lambda p, b, d: None)
        # The honest one is not there before the liar has been asked.
        c.honest_seeder(handshake=lambda *said: (wait_for(lambda: c.seeders[0].hash_asked, 8), wire.handshake(*said))[1])
        c.get(magnet=True)
        c.complete(60)
        if not c.seeders[0].hash_asked:
            raise Unexpected("the liar was never asked: nothing was tried")
        if expect == BANNED:
            c.banned()
        else:
            c.not_banned()


def wait_for(done, seconds):
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        time.sleep(0.02)


def hidden(c, hashes):
    """The honest one is the first to come and the only one with metadata, which it gives late: four liars are there by then."""
    for k in range(4):
        c.seeder(k, hashes=hashes, block=lambda p, b, d: None, metadata=lambda i, d: None,
                 handshake=lambda *said: (time.sleep(0.7), wire.handshake(*said))[1])
    c.honest_seeder(metadata=lambda i, d: (time.sleep(2), d)[1])
    c.get(magnet=True)


@case("V03b", "rejects every hash request", COMPLETES, role="get", form="v2")
def _(c):
    hidden(c, lambda body, asked, truth: [message(HASH_REJECT, body)])
    c.complete(20)


@case("V10a", "never answers a hash request", COMPLETES, role="get", form="v2", slow=45)
def _(c):
    hidden(c, lambda body, asked, truth: None)
    c.complete(60)


@case("V03c", "a reject for base 0 to every hash request", COMPLETES, role="get", form="v2")
def _(c):
    c.seeder(hashes=lambda body, asked, truth: [message(HASH_REJECT, body[:32] + words(0, 0, 4, 0)),
                                                message(HASH_REJECT, body[:32] + words(0, U32, U32, U32))])
    c.honest_seeder(handshake=lambda *said: (wait_for(lambda: c.seeders[0].hash_asked, 8), wire.handshake(*said))[1])
    c.get(magnet=True)
    c.complete(60)


@case("V01k", "a polluter that forges the leaves which would name it", BANNED, role="get", form="v2")
def _(c):
    spoil = lambda d: d[:-1] + bytes([d[-1] ^ 1])
    c.seeder(block=lambda p, b, d: spoil(d) if b == 0 else d,
             hashes=lambda body, asked, truth: [bytes(32)] + truth[1:] if asked[1] == 0 else truth)
    c.honest_seeder(delay=0.03)
    c.get()
    c.complete(40)
    c.banned()
