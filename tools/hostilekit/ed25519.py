"""ed25519.py - signatures for items of the DHT (RFC 8032), short and slow: a case makes a handful."""
import hashlib

P = 2 ** 255 - 19
Q = 2 ** 252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE_Y = 4 * pow(5, -1, P) % P
NOBODY = (0, 1, 1, 0)


def add(a, b):
    """Two points, in extended coordinates."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(k, point):
    out = NOBODY
    while k:
        if k & 1:
            out = add(out, point)
        point, k = add(point, point), k >> 1
    return out


def base():
    square = (BASE_Y * BASE_Y - 1) * pow(D * BASE_Y * BASE_Y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    x = P - x if x & 1 else x
    return x, BASE_Y, 1, x * BASE_Y % P


BASE = base()


def packed(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def halves(seed):
    h = hashlib.sha512(seed).digest()
    return (int.from_bytes(h[:32], "little") & (1 << 254) - 8) | 1 << 254, h[32:]


def public(seed):
    return packed(times(halves(seed)[0], BASE))


def sign(seed, text):
    scalar, prefix = halves(seed)
    key = packed(times(scalar, BASE))
    r = int.from_bytes(hashlib.sha512(prefix + text).digest(), "little") % Q
    point = packed(times(r, BASE))
    k = int.from_bytes(hashlib.sha512(point + key + text).digest(), "little") % Q
    return point + ((r + k * scalar) % Q).to_bytes(32, "little")
