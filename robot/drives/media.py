"""What ``xorriso -toc -tell_media_space`` says of a disc, as a value. Pure.

Source: transcripts of xorriso 1.5.4 (pseudo-drives observed; BD-R and DVD+R from published logs of other people's
drives). Profile names are those of libburn, shortened to their first word in small letters: ``bd-r``, ``dvd+r``.
"""

import re

from robot.ports import SECTOR, Medium

_CURRENT = re.compile(r"^Media current: (\S+)", re.MULTILINE)
_STATUS = re.compile(r"^Media status : (is .+?)\s*$", re.MULTILINE)
_BLOCKS = re.compile(r"^Media blocks : (\d+) readable ,\s+(\d+) writable", re.MULTILINE)
_SUMMARY = re.compile(r"^Media summary: \d+ sessions?, (\d+) data blocks", re.MULTILINE)
_SPACE = re.compile(r"^Media space\s*: (\d+)s", re.MULTILINE)
_PRODUCT = re.compile(r"^Media product: (\S+)", re.MULTILINE)
_NOTHING = frozenset({"is", "none"})
"""First words in place of a profile when there is no usable disc (``is not present``, ``is not recognizable``)."""


def parse_medium(text: str) -> Medium | None:
    """The medium in the report of a drive, or None if the report names none that can be used.

    A status that is neither blank nor written counts as written: blank must be said.
    """
    current, status = _CURRENT.search(text), _STATUS.search(text)
    if current is None or status is None or current.group(1) in _NOTHING:
        return None
    if status.group(1).startswith("is not"):
        return None
    blank = status.group(1) == "is blank"
    blocks, summary, space = _BLOCKS.search(text), _SUMMARY.search(text), _SPACE.search(text)
    readable = int((blocks or summary).group(1)) if blocks or summary else 0  # type: ignore[union-attr]  # one is there
    writable = int(space.group(1)) if space else int(blocks.group(2)) if blocks else 0
    return Medium(
        profile=current.group(1).lower(),
        blank=blank,
        capacity=writable * SECTOR,
        readable=0 if blank else readable * SECTOR,
        maker=product.group(1) if (product := _PRODUCT.search(text)) else "",
    )
