"""mse.py - the handshake of message stream encryption by hand, each part of it ours to spoil."""
import hashlib
import os

PRIME = int("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
            "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563", 16)
KEY = 96


def sha1(*parts):
    return hashlib.sha1(b"".join(parts)).digest()


class Rc4:
    def __init__(self, key):
        self.s, self.i, self.j = list(range(256)), 0, 0
        j = 0
        for i in range(256):
            j = j + self.s[i] + key[i % len(key)] & 255
            self.s[i], self.s[j] = self.s[j], self.s[i]
        self.xor(bytes(1024))

    def xor(self, data):
        out = bytearray(data)
        for k, b in enumerate(data):
            self.i = self.i + 1 & 255
            self.j = self.j + self.s[self.i] & 255
            self.s[self.i], self.s[self.j] = self.s[self.j], self.s[self.i]
            out[k] = b ^ self.s[self.s[self.i] + self.s[self.j] & 255]
        return bytes(out)


class Hand:
    """One side's half: its key, and after theirs the secret and both ciphers."""

    def __init__(self):
        self.private = int.from_bytes(os.urandom(20), "big")
        self.public = pow(2, self.private, PRIME).to_bytes(KEY, "big")

    def agree(self, theirs, skey, began):
        self.secret = pow(int.from_bytes(theirs, "big"), self.private, PRIME).to_bytes(KEY, "big")
        a, b = Rc4(sha1(b"keyA", self.secret, skey)), Rc4(sha1(b"keyB", self.secret, skey))
        self.out, self.into = (a, b) if began else (b, a)

    def named(self, skey):
        """What follows the initiator's pad: that the secret is known, and which torrent is meant."""
        mask = zip(sha1(b"req2", skey), sha1(b"req3", self.secret))
        return sha1(b"req1", self.secret) + bytes(x ^ y for x, y in mask)

    def offer(self, methods=3, vc=bytes(8), pad=0, payload=b"", said=None):
        """VC, the methods offered, a pad, and the first of the payload; `said`: the length told of that."""
        length = len(payload) if said is None else said
        return self.out.xor(vc + methods.to_bytes(4, "big") + pad.to_bytes(2, "big") + bytes(pad) + length.to_bytes(2, "big") + payload)
