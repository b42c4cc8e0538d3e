"""The key of the status page: who knows it may see the page and answer on it. Not for the unix socket.

It lies in the archive's folder, readable for the librarian's user alone, and stays until that file is removed; it is
never logged. What a form must carry (against pages of others that post to this one) is made from it.
"""

import errno
import hashlib
import hmac
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from odarchive.errors import ConfigError

NAME = "web.key"
_BYTES = 32


def key_of(root: Path) -> str:
    """The key of an archive, made if there is none.

    Raises:
        ConfigError: it cannot be read or made, or others may read it.
    """
    path = root / NAME
    try:
        _make(path)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with os.fdopen(descriptor, encoding="ascii") as file:
            others = os.fstat(descriptor).st_mode & 0o077
            key = file.read(200).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the key of the status page cannot be read or made: {error}") from error
    if others or len(key) < _BYTES:
        raise ConfigError(f"{path}: others may read it, or it is damaged; remove it, a new one is made")
    return key


def _make(path: Path) -> None:
    """Write one whole, unless another process is faster: what it has told already holds."""
    if path.exists():
        return
    descriptor, half = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_BYTES) + "\n")
        with suppress(FileExistsError):
            os.link(half, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP):
            raise
        Path(half).replace(path)  # the file system knows no hard links
    finally:
        Path(half).unlink(missing_ok=True)


def form_token(key: str) -> str:
    """What every form of the page carries."""
    return hmac.new(key.encode(), b"odarchive form", hashlib.sha256).hexdigest()


def equal(given: str, right: str) -> bool:
    """Compare without telling by time how much was right."""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), right.encode())
