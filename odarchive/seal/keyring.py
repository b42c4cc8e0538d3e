"""What somebody who reads discs has to know of an archive's encryption."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from odarchive.errors import KeyNeeded
from odarchive.seal.keys import public
from odarchive.seal.opening import opener

if TYPE_CHECKING:
    from odarchive.seal.stream import Opener


@dataclass(frozen=True, slots=True)
class Keyring:
    """``recipients``: to how many every file is encrypted, 0 if the archive is not; ``opener``: None without a key."""

    recipients: int = 0
    opener: "Opener | None" = None

    @property
    def sealed(self) -> bool:
        """Whether the archive is encrypted."""
        return self.recipients > 0

    @classmethod
    def of(cls, recipients: Sequence[str], key: Path | None) -> "Keyring":
        """The keys of an archive.

        Raises:
            KeyNeeded: the key file is not there, or holds no key of this archive.
        """
        if not recipients:
            return cls()
        found = opener(key)
        if found is not None and not set(map(public, found.secrets)) & set(recipients):
            raise KeyNeeded(
                f"{key} does not open this archive: it is encrypted to {', '.join(recipients)}; name the file with the "
                "key of one of them in archive.toml ([privacy] key)"
            )
        return cls(len(recipients), found)
