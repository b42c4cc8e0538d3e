"""From the name of a key file to what opens discs."""

from pathlib import Path
from typing import TYPE_CHECKING

from odarchive.errors import KeyNeeded
from odarchive.seal.keys import identities

if TYPE_CHECKING:
    from odarchive.seal.stream import Opener


def opener(path: Path | None) -> "Opener | None":
    """What opens discs with the keys in a file; None: no file was named.

    Raises:
        KeyNeeded: the file has no keys, or the packages are missing.
    """
    if path is None:
        return None
    secrets = identities(path)
    try:
        from odarchive.seal.stream import Opener  # noqa: PLC0415  the extra `privacy`
    except ImportError as error:
        raise KeyNeeded(f"decrypting needs more packages ({error}): pip install 'odarchive[privacy]'") from error
    return Opener(secrets)
