#!/usr/bin/env python3
"""Decrypt an age file (age-encryption.org/v1). Needs Python 3.9 or later and nothing else.

    python3 unseal.py KEYFILE < FILE.age > FILE

The same as `age -d -i KEYFILE`, for a machine that has no age. KEYFILE holds lines AGE-SECRET-KEY-1...; `restore.py`
uses this file, which must lie beside it. About 15 MB a second: all blocks of a chunk are worked on at once, as
32-bit lanes of one large number.

Sources: C2SP age.md, RFC 7748 (X25519), RFC 8439 (ChaCha20-Poly1305), RFC 5869 (HKDF), BIP 173 (Bech32). Not written
against an attacker who measures time: it only reads.
"""

from __future__ import annotations

import base64
import functools
import hmac
import struct
import sys
from collections.abc import Iterable, Iterator

CHUNK, TAG = 65536, 16
VERSION = b"age-encryption.org/v1\n"
LONGEST_HEADER = 65536
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


class Unopened(Exception):
    """No key fits, or the file is damaged."""


def keys_in(path: str) -> list[bytes]:
    """The secret keys in a file."""
    with open(path, encoding="ascii", errors="replace") as file:
        words = [line.strip() for line in file.read(1 << 20).splitlines()]
    keys = [secret_key(word) for word in words if word and not word.startswith("#")]
    if not keys:
        raise Unopened(f"{path} has no line that begins with AGE-SECRET-KEY-1")
    return keys


def secret_key(word: str) -> bytes:
    """32 bytes of a key as text (Bech32)."""
    prefix, _, data = word.lower().rpartition("1")
    values = [CHARSET.find(character) for character in data]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = 1
    for value in expanded + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    if prefix != "age-secret-key-" or len(data) != 58 or min(values) < 0 or check != 1:
        raise Unopened("a line of the key file is no key; look for a mistyped character")
    bits = 0
    for value in values[:-6]:
        bits = bits << 5 | value
    return (bits >> 4).to_bytes(32, "big")


def x25519(scalar: bytes, point: bytes) -> bytes:
    """RFC 7748."""
    p = 2**255 - 19
    k = (int.from_bytes(scalar, "little") & ~7 & (1 << 255) - 1) | 1 << 254
    u = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = k >> t & 1
        if swap != bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % p, u * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA-256."""
    return hmac.digest(hmac.digest(salt or bytes(32), secret, "sha256"), info + b"\1", "sha256")


class Lanes:
    """ChaCha20 over many blocks at once: 64-bit lanes of one number, the upper halves empty."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.ones = sum(1 << 64 * lane for lane in range(blocks))
        self.low = self.ones * 0xFFFFFFFF
        self.numbers = sum(lane << 64 * lane for lane in range(blocks))

    def stream(self, key: bytes, nonce: bytes) -> bytes:
        """So many blocks of key stream, from block 0 on."""
        constants = struct.unpack("<4I", b"expand 32-byte k")
        start = [self.ones * word for word in (*constants, *struct.unpack("<8I", key))]
        start += [self.numbers, *(self.ones * word for word in struct.unpack("<3I", nonce))]
        x = list(start)
        for _ in range(10):
            for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
                self.quarter(x, a, b, c, d)
            for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                self.quarter(x, a, b, c, d)
        size = 8 * self.blocks
        out = bytearray(64 * self.blocks)
        view = memoryview(out).cast("I")
        for place, (word, before) in enumerate(zip(x, start)):  # noqa: B905  Python 3.9
            lanes = memoryview((word + before & self.low).to_bytes(size, "little")).cast("I")
            view[place::16] = lanes[::2]
        return bytes(out)

    def quarter(self, x: list[int], a: int, b: int, c: int, d: int) -> None:
        """A quarter round in all lanes."""
        low = self.low
        for turn in (16, 8):
            x[a] = x[a] + x[b] & low
            v = x[d] ^ x[a]
            x[d] = v << turn & low | v >> 32 - turn & low
            x[c] = x[c] + x[d] & low
            v = x[b] ^ x[c]
            turn_b = 12 if turn == 16 else 7
            x[b] = v << turn_b & low | v >> 32 - turn_b & low


@functools.lru_cache(maxsize=4)
def lanes(blocks: int) -> Lanes:
    """Lanes for so many blocks."""
    return Lanes(blocks)


def open_box(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """ChaCha20-Poly1305 without further data."""
    data, tag = sealed[:-TAG], sealed[-TAG:]
    stream = lanes(1 + -(-len(data) // 64)).stream(key, nonce)
    if len(sealed) < TAG or not hmac.compare_digest(poly1305(stream[:32], data), tag):
        raise Unopened("damaged, or the wrong key")
    size = len(data)
    plain = int.from_bytes(data, "little") ^ int.from_bytes(stream[64 : 64 + size], "little")
    return plain.to_bytes(size, "little")


def poly1305(key: bytes, data: bytes) -> bytes:
    """RFC 8439 2.5 and 2.8: over the data, padded, and its length."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    message = data + bytes(-len(data) % 16) + struct.pack("<QQ", 0, len(data))
    p, total, top = (1 << 130) - 5, 0, 1 << 128
    words = struct.unpack(f"<{len(message) // 8}Q", message)
    for low, high in zip(words[::2], words[1::2]):  # noqa: B905  Python 3.9
        total = (total + low + (high << 64) + top) * r % p
    return (total + int.from_bytes(key[16:], "little") & (1 << 128) - 1).to_bytes(16, "little")


def unbase64(text: bytes) -> bytes:
    """Base64 without padding, and in no other spelling than the one (RFC 4648, 3.5)."""
    try:
        found = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise Unopened("its header is damaged") from None
    if base64.b64encode(found).rstrip(b"=") != text:
        raise Unopened("its header is damaged")
    return found


def payload_key(head: bytes, secrets: list[bytes]) -> tuple[bytes, int]:
    """The key of the chunks, and where they begin; ``head`` is the beginning of the file."""
    if not head.startswith(VERSION):
        raise Unopened("it is no age file")
    end = head.find(b"\n--- ", 0, LONGEST_HEADER)
    lines = head[len(VERSION) : end].split(b"\n")
    for at in range(len(lines) - 1):
        words = lines[at].split(b" ")
        if words[:2] != [b"->", b"X25519"] or len(words) != 3:
            continue
        share = unbase64(words[2])
        for secret in secrets:
            own = x25519(secret, (9).to_bytes(32, "little"))
            wrap = hkdf(x25519(secret, share), share + own, b"age-encryption.org/v1/X25519")
            try:
                file_key = open_box(wrap, bytes(12), unbase64(lines[at + 1]))
            except Unopened:
                continue
            mac = hmac.digest(hkdf(file_key, b"", b"header"), head[: end + 4], "sha256")
            if head[end + 48 : end + 49] != b"\n" or not hmac.compare_digest(mac, unbase64(head[end + 5 : end + 48])):
                raise Unopened("its header is damaged")
            return hkdf(file_key, head[end + 49 : end + 65], b"payload"), end + 65
    raise Unopened("the key does not fit; use the key of this archive")


def unsealed(blocks: Iterable[bytes], secrets: list[bytes]) -> Iterator[bytes]:
    """The content of an age file that comes in blocks."""
    source = iter(blocks)
    waiting = b""
    while len(waiting) < 2 * LONGEST_HEADER and (block := next(source, b"")):
        waiting += block
    key, start = payload_key(waiting, secrets)
    waiting = waiting[start:]
    number, last = 0, False
    while not last:
        while len(waiting) <= CHUNK + TAG and (block := next(source, b"")):
            waiting += block
        last = len(waiting) <= CHUNK + TAG
        yield open_box(key, number.to_bytes(11, "big") + bytes([last]), waiting[: CHUNK + TAG])
        waiting = waiting[CHUNK + TAG :]
        number += 1


def main() -> int:
    """Standard input to standard output."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.stderr.write(str(__doc__))
        return 2
    try:
        secrets = keys_in(sys.argv[1])
        for block in unsealed(iter(lambda: sys.stdin.buffer.read(1 << 20), b""), secrets):
            sys.stdout.buffer.write(block)
    except (Unopened, OSError, ValueError) as error:
        sys.stderr.write(f"unseal.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
