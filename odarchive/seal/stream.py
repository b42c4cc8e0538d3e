"""Writing and reading age files. Source: age-encryption.org/v1 (C2SP age.md), X25519 stanzas and the STREAM payload.

Written deterministically: file key, nonce and ephemeral keys are drawn by HMAC-SHA-256 from a secret seed and a context
that is different for different plaintext, so the same image comes out twice and no key meets two texts. Read by
chunk, each authenticated. Needs `cryptography` (the extra ``privacy``).
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from odarchive.errors import DamageFound, KeyNeeded
from odarchive.seal.sizes import CHUNK, LONGEST_HEADER, NONCE, TAG, chunk_place

SEED = 32
"""Bytes of a seed."""
_VERSION = b"age-encryption.org/v1\n"
_X25519 = b"age-encryption.org/v1/X25519"
_GATHER = 16
"""Chunks given out at once, about 1 MiB."""
_BASE64_32 = 43


class Sealer:
    """Makes age files for the recipients of an archive, from the seed of an image."""

    def __init__(self, seed: bytes, recipients: Sequence[bytes]) -> None:
        self._seed = seed
        self._recipients = [(key, X25519PublicKey.from_public_bytes(key)) for key in recipients]

    def pieces(self, context: bytes, source: Iterable[bytes], length: int) -> Iterator[bytes]:
        """The file of ``length`` bytes; shorter if the source is.

        Args:
            context: says what is encrypted; the same for the same bytes only.
            source: the bytes, in pieces of any size.
            length: how many there are.
        """
        file_key, nonce = self._drawn(b"file key", context)[:16], self._drawn(b"nonce", context)[:NONCE]
        yield self._header(file_key, context) + nonce
        cipher = ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload"))
        last = max(0, -(-length // CHUNK) - 1)
        parts: list[bytes] = []
        for number, chunk in enumerate(_chunks(source)):
            parts.append(cipher.encrypt(_counter(number, last=number == last), chunk, None))
            if len(parts) == _GATHER:
                yield b"".join(parts)
                parts.clear()
        yield b"".join(parts)

    def _header(self, file_key: bytes, context: bytes) -> bytes:
        lines = [_VERSION]
        for number, (raw, key) in enumerate(self._recipients):
            secret = X25519PrivateKey.from_private_bytes(self._drawn(b"ephemeral %d" % number, context))
            share = secret.public_key().public_bytes_raw()
            wrap = _hkdf(secret.exchange(key), share + raw, _X25519)
            body = ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
            lines.append(b"-> X25519 %s\n%s\n" % (_base64(share), _base64(body)))
        lines.append(b"---")
        return b"".join(lines) + b" %s\n" % _base64(_mac(file_key, b"".join(lines)))

    def _drawn(self, purpose: bytes, context: bytes) -> bytes:
        return hmac.digest(self._seed, b"odarchive\0" + purpose + b"\0" + context, "sha256")


@dataclass(frozen=True, slots=True)
class Payload:
    """An age file whose header was opened: where its chunks begin, and their key."""

    head: int
    cipher: ChaCha20Poly1305

    def chunk(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        """The bytes of one chunk.

        Raises:
            DamageFound: they are not what was encrypted there.
        """
        try:
            return self.cipher.decrypt(_counter(number, last=last), sealed, None)
        except InvalidTag:
            raise DamageFound(f"chunk {number} of an encrypted file is damaged") from None

    def span(self, offset: int, length: int, size: int) -> tuple[int, int]:
        """Where in the file lie the chunks of a range: begin and end. ``offset`` is a multiple of 65,536."""
        first, after = offset // CHUNK, -(-(offset + length) // CHUNK)
        end = chunk_place(after, self.head)
        return chunk_place(first, self.head), min(end, self.head + size + TAG * max(1, -(-size // CHUNK)))

    def range(self, offset: int, sealed: bytes, size: int) -> bytes:
        """The bytes of the chunks of such a span, ``size`` being the bytes of the whole.

        Raises:
            DamageFound: a chunk is damaged.
        """
        first, last = offset // CHUNK, max(0, -(-size // CHUNK) - 1)
        return b"".join(
            self.chunk(first + number, sealed[at : at + CHUNK + TAG], last=first + number == last)
            for number, at in enumerate(range(0, len(sealed), CHUNK + TAG))
        )


class Opener:
    """Opens age files with secret keys."""

    def __init__(self, identities: Sequence[bytes]) -> None:
        self.secrets = tuple(identities)
        self._keys = [X25519PrivateKey.from_private_bytes(secret) for secret in identities]

    def payload(self, head: bytes) -> Payload:
        """Open a header.

        Args:
            head: the file from its beginning on, up to the first chunk at least.

        Raises:
            DamageFound: it is no age file, or a damaged one.
            KeyNeeded: none of the keys fits.
        """
        stanzas, end = _stanzas(head)
        for arguments, body in stanzas:
            if arguments[0] != b"X25519" or len(arguments) != 2 or len(body) != 32:
                continue
            share = _unbase64(arguments[1])
            for key in self._keys:
                file_key = _unwrapped(key, share, body)
                if file_key is not None:
                    return _opened(file_key, head, end)
        raise KeyNeeded("none of the keys given opens this disc; use the key of this archive's recipients")

    def opened(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes of a whole age file, given in pieces.

        Raises:
            DamageFound, KeyNeeded: as `payload`; or it is cut off.
        """
        source = iter(pieces)
        waiting = bytearray()
        while (at := waiting.find(b"\n---")) < 0 or len(waiting) < at + 6 + _BASE64_32 + NONCE:
            piece = next(source, None)
            if piece is None or len(waiting) > LONGEST_HEADER:
                break
            waiting += piece
        payload = self.payload(bytes(waiting[: LONGEST_HEADER + NONCE]))
        del waiting[: payload.head]
        number, whole = 0, CHUNK + TAG
        while True:
            while len(waiting) <= whole and (piece := next(source, None)) is not None:
                waiting += piece
            last = len(waiting) <= whole
            data = payload.chunk(number, bytes(waiting[:whole]), last=last)
            del waiting[:whole]
            yield data
            if last:
                return
            number += 1


def _stanzas(head: bytes) -> tuple[list[tuple[list[bytes], bytes]], int]:
    """The stanzas (arguments, body) of a header, and where its MAC line's ``---`` ends."""
    if not head.startswith(_VERSION):
        raise DamageFound("an encrypted file does not begin as one")
    found: list[tuple[list[bytes], bytes]] = []
    at = len(_VERSION)
    while not head.startswith(b"---", at):
        line, at = _line(head, at)
        if not line.startswith(b"-> "):
            raise DamageFound("the header of an encrypted file is damaged")
        body = b""
        while True:
            part, at = _line(head, at)
            body += part
            if len(part) < 64:
                break
        found.append((line[3:].split(b" "), _unbase64(body)))
    return found, at + 3


def _line(head: bytes, at: int) -> tuple[bytes, int]:
    end = head.find(b"\n", at, LONGEST_HEADER)
    if end < 0:
        raise DamageFound("the header of an encrypted file is cut off")
    return head[at:end], end + 1


def _unwrapped(key: X25519PrivateKey, share: bytes, body: bytes) -> bytes | None:
    own = key.public_key().public_bytes_raw()
    try:
        shared = key.exchange(X25519PublicKey.from_public_bytes(share))
        return ChaCha20Poly1305(_hkdf(shared, share + own, _X25519)).decrypt(bytes(12), body, None)
    except (InvalidTag, ValueError):
        return None


def _opened(file_key: bytes, head: bytes, end: int) -> Payload:
    line, after = _line(head, end)
    if not hmac.compare_digest(line, b" " + _base64(_mac(file_key, head[:end]))):
        raise DamageFound("the header of an encrypted file is damaged")
    nonce = head[after : after + NONCE]
    if len(nonce) < NONCE:
        raise DamageFound("an encrypted file is cut off")
    return Payload(after + NONCE, ChaCha20Poly1305(_hkdf(file_key, nonce, b"payload")))


def _chunks(source: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks of 64 KiB, the last one shorter; an empty one if there is nothing."""
    waiting = b""
    empty = True
    for piece in source:
        data = waiting + piece if waiting else piece
        whole = len(data) // CHUNK * CHUNK
        for at in range(0, whole, CHUNK):
            yield data[at : at + CHUNK]
            empty = False
        waiting = data[whole:]
    if waiting or empty:
        yield waiting


def _counter(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_hkdf(file_key, b"", b"header"), header, "sha256")


def _hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) of 32 bytes."""
    return hmac.digest(hmac.digest(salt or bytes(32), secret, "sha256"), info + b"\1", "sha256")


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise DamageFound("the header of an encrypted file is damaged") from None
    if _base64(data) != text:
        raise DamageFound("the header of an encrypted file is damaged")
    return data
