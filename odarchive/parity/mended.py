"""What became of a disc that was to be made again. Needs no numpy, so every way of repair can tell it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of one disc. ``lost``: files that could not be made again; empty: the image is right."""

    label: str
    path: Path
    right: bool
    lost: tuple[str, ...]
