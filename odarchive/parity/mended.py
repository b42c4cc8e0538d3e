"""What became of a disc that was to be made again. Needs no numpy, so every way of repair can tell it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Held:
    """A file, or a part of one, on a disc, by somebody else's word than the disc's."""

    path: str
    """From the root of the disc."""
    begin: int | None
    """Its first byte on the disc; None: not known."""
    length: int


Holdings = Callable[[str, int], Sequence[Held]]
"""What the discs of an archive (uuid) of a segment (number) hold; nothing if nobody knows."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of one disc."""

    label: str
    path: Path
    right: bool
    lost: tuple[str, ...]
    """Files that could not be made again."""
    note: str = ""
    """Of an image that is not right: what is to be said beside those, such as why none is named."""
