# SPDX-License-Identifier: Apache-2.0
"""The generator of src/base/rng.h in Python and NumPy, vectorised over the index.

Philox4x32-10 (Salmon et al., SC 2011). Word i of a stream is word i % 4 of
philox(counter (i/4 low, i/4 high, stream low, stream high), key (seed low, seed high)).
Run as a program it checks itself against the known answers of Random123.
"""
import numpy as np

_MASK32 = np.uint64(0xFFFFFFFF)
_MASK64 = 0xFFFFFFFFFFFFFFFF
_SHIFT32 = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85


def philox4x32(counter, key):
    """Four arrays (or numbers) of 32-bit counter words and two of key words -> uint32 array (..., 4)."""
    c0, c1, c2, c3 = (np.asarray(c, dtype=np.uint64) & _MASK32 for c in counter)
    k0, k1 = (int(k) & 0xFFFFFFFF for k in key)
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = ((p1 >> _SHIFT32) ^ c1 ^ np.uint64(k0), p1 & _MASK32,
                          (p0 >> _SHIFT32) ^ c3 ^ np.uint64(k1), p0 & _MASK32)
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1).astype(np.uint32)


def words(seed, stream, index0, n):
    """`n` 32-bit words of (seed, stream) from word `index0` on."""
    first = index0 // 4
    n_blocks = (index0 + n + 3) // 4 - first
    block = np.uint64(first) + np.arange(n_blocks, dtype=np.uint64)
    out = philox4x32((block & _MASK32, block >> _SHIFT32, stream & 0xFFFFFFFF, stream >> 32),
                     (seed & 0xFFFFFFFF, seed >> 32))
    skip = index0 - 4 * first
    return out.reshape(-1)[skip:skip + n]


def uniform(seed, stream, index0, n):
    """`n` numbers in (0, 1), one word each."""
    return (words(seed, stream, index0, n).astype(np.float64) + 0.5) * 2.0 ** -32


def normal(seed, stream, index0, n):
    """`n` standard normal numbers, two words each: sqrt(-2 ln u1) cos(2 pi u2)."""
    u = uniform(seed, stream, index0, 2 * n)
    return np.sqrt(-2.0 * np.log(u[0::2])) * np.cos(2.0 * np.pi * u[1::2])


def below(seed, stream, index0, n, limit):
    """`n` whole numbers in 0..limit-1, one word each; `limit` may be an array of n limits."""
    return np.floor(uniform(seed, stream, index0, n) * limit).astype(np.int64)


def shuffle(seed, stream, index0, items):
    """A shuffled list: for i = n-1..1 swap(i, below(i + 1)); uses n - 1 words."""
    items = list(items)
    n = len(items)
    if n > 1:
        picks = below(seed, stream, index0, n - 1, np.arange(n, 1, -1))
        for i, j in zip(range(n - 1, 0, -1), picks):
            items[i], items[j] = items[j], items[i]
    return items


def rvl_rng_mix(a, b):
    """splitmix64 finaliser of a + 0x9E3779B97F4A7C15 * (b + 1), modulo 2^64."""
    z = (a + 0x9E3779B97F4A7C15 * (b + 1)) & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    return z ^ (z >> 31)


def rvl_rng_name(name):
    """xxh3-64 of the UTF-8 bytes of `name`; needs the `xxhash` package."""
    import xxhash
    return xxhash.xxh3_64_intdigest(name.encode("utf-8"))


def _self_test():
    full = 0xFFFFFFFF
    known = [((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
             ((full,) * 4, (full,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
             ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
              "d16cfe09 94fdcceb 5001e420 24126ea1")]
    for counter, key, out in known:
        got = " ".join("%08x" % w for w in philox4x32(counter, key))
        assert got == out, (got, out)
    assert (words(3, 4, 5, 20) == words(3, 4, 0, 25)[5:]).all()
    assert rvl_rng_mix(0, 0) == 0xE220A8397B1DCDAF
    assert rvl_rng_mix(1234567, 1) == 3203168211198807973
    print("rvl_rng: known answers agree")


if __name__ == "__main__":
    _self_test()
