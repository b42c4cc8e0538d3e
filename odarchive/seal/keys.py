"""age's native keys as text: recipients (``age1...``, public) and identities (``AGE-SECRET-KEY-1...``, secret).

Both are Bech32 (BIP 173) of 32 bytes for X25519. Errors never repeat a secret. Not for the bytes of files (``stream``).
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from odarchive.errors import ConfigError, KeyNeeded, OdarchiveError

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_RECIPIENT, _IDENTITY = "age", "age-secret-key-"
_LARGEST_FILE = 1 << 20
MOST_RECIPIENTS = 16
"""Each has a stanza in every file."""


def recipient(text: str) -> bytes:
    """The public key of a recipient, 32 bytes.

    Raises:
        ConfigError: it is none of age's native kind.
    """
    key = _decoded(text.strip(), _RECIPIENT)
    if key is None:
        raise ConfigError(
            f"{text!r} is no recipient: it begins with age1 and is 62 characters long; `age-keygen` or "
            "`odarchive key new FILE` make one (SSH keys, passphrases and plugins are not for archives)"
        )
    return key


def recipients(texts: Iterable[str]) -> tuple[bytes, ...]:
    """The public keys of an archive's recipients.

    Raises:
        ConfigError: one is none, or there are too many.
    """
    keys = tuple(dict.fromkeys(map(recipient, texts)))
    if len(keys) > MOST_RECIPIENTS:
        raise ConfigError(f"{len(keys)} recipients are more than {MOST_RECIPIENTS}; encrypt to fewer")
    return keys


def public(secret: bytes) -> str:
    """The recipient that belongs to a secret key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey  # noqa: PLC0415  the extra `privacy`

    return _encoded(_RECIPIENT, X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw())


def identities(path: Path) -> tuple[bytes, ...]:
    """The secret keys in a file as ``age-keygen`` writes it: one a line, comments behind ``#``.

    Raises:
        KeyNeeded: it cannot be read, or has no such key.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            lines = file.read(_LARGEST_FILE).splitlines()
    except OSError as error:
        raise KeyNeeded(f"the key file {path} cannot be read: {error.strerror}; name the file with the key") from None
    words = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    found = tuple(key for key in (_decoded(word, _IDENTITY) for word in words) if key is not None)
    if not found or len(found) != len(words):
        raise KeyNeeded(
            f"{path} is no key file: it needs lines that begin with AGE-SECRET-KEY-1, as `age-keygen` writes them "
            "(a key protected by a passphrase must be decrypted first: age -d)"
        )
    return found


def text_of(secret: bytes) -> str:
    """The identity as text: for paper and for the key file."""
    return _encoded(_IDENTITY, secret).upper()


def new_identity(path: Path, *, created: str) -> str:
    """Make a key and keep it in a new file that only its owner may read; returns the recipient.

    Raises:
        OdarchiveError: something is there already, or it cannot be written.
    """
    secret = os.urandom(32)
    belongs = public(secret)
    text = f"# created: {created}\n# public key: {belongs}\n{text_of(secret)}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise OdarchiveError(f"{path} exists; a key is never overwritten, name another file") from None
    except OSError as error:
        raise OdarchiveError(f"the key file {path} cannot be written: {error.strerror}") from None
    return belongs


def _decoded(text: str, prefix: str) -> bytes | None:
    """32 bytes of Bech32 with this prefix; None: it is something else."""
    if text not in (text.lower(), text.upper()) or not text.isascii():
        return None
    prefix_found, _, data = text.lower().rpartition("1")
    if prefix_found != prefix or len(data) != 58 or any(character not in _CHARSET for character in data):
        return None
    values = [_CHARSET.index(character) for character in data]
    if _polymod([*_expanded(prefix), *values]) != 1:
        return None
    bits = 0
    for value in values[:-6]:
        bits = bits << 5 | value
    return None if bits & 0xF else (bits >> 4).to_bytes(32, "big")


def _encoded(prefix: str, key: bytes) -> str:
    bits = int.from_bytes(key, "big") << 4
    values = [bits >> 5 * place & 31 for place in range(51, -1, -1)]
    check = _polymod([*_expanded(prefix), *values, *[0] * 6]) ^ 1
    values += [check >> 5 * place & 31 for place in range(5, -1, -1)]
    return f"{prefix}1" + "".join(_CHARSET[value] for value in values)


def _expanded(prefix: str) -> list[int]:
    return [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]


def _polymod(values: Sequence[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            check ^= generator if top >> place & 1 else 0
    return check
