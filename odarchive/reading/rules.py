"""What a scan leaves out: gitignore patterns, cache folders, files too large, too small, too old or too new.

Patterns are those of ``.gitignore``: later ones win, ``!`` takes back, a trailing slash means folders, a slash in it
anchors it to the source. Below a folder that is left out nothing is looked at, so nothing there can be taken back.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from stat import S_ISDIR, S_ISREG
from typing import Any

from odarchive.errors import ConfigError

CACHE_TAG = b"CACHEDIR.TAG"
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"
"""What such a file begins with (bford.info/cachedir)."""


@dataclass(slots=True)
class Rules:
    """Plain values, so that another process can be told them. Sizes in bytes, times in ns since the epoch."""

    patterns: tuple[str, ...] = ()
    caches: bool = False
    """Leave out what is in folders that a valid CACHEDIR.TAG marks; folder and tag are kept."""
    smallest: int = 0
    largest: int | None = None
    modified_after: int | None = None
    modified_before: int | None = None
    _spec: Any = field(default=None, init=False, repr=False, compare=False)

    def __bool__(self) -> bool:
        """Whether anything is left out at all."""
        return bool(self.patterns or self.caches or self._limits())

    def _limits(self) -> bool:
        limits = (self.largest, self.modified_after, self.modified_before)
        return self.smallest > 0 or any(limit is not None for limit in limits)

    def values(self) -> tuple[Any, ...]:
        """For another process; ``Rules(*values)``."""
        return self.patterns, self.caches, self.smallest, self.largest, self.modified_after, self.modified_before

    def leave_out(self, folder: bytes, name: bytes, stat: os.stat_result) -> bool:
        """Whether a name in a folder (relative to the source) is left out."""
        if self.patterns and self._matches(folder + b"/" + name if folder else name, is_folder=S_ISDIR(stat.st_mode)):
            return True
        return S_ISREG(stat.st_mode) and self._limits() and not self._within(stat)

    def is_cache(self, folder: int) -> bool:
        """Whether an open directory is marked as a cache whose contents are to be left out."""
        if not self.caches:
            return False
        try:
            fd = os.open(CACHE_TAG, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return False
        try:
            return os.read(fd, len(CACHE_SIGNATURE)) == CACHE_SIGNATURE
        except OSError:
            return False
        finally:
            os.close(fd)

    def _within(self, stat: os.stat_result) -> bool:
        return (
            stat.st_size >= self.smallest
            and (self.largest is None or stat.st_size <= self.largest)
            and (self.modified_after is None or stat.st_mtime_ns >= self.modified_after)
            and (self.modified_before is None or stat.st_mtime_ns <= self.modified_before)
        )

    def _matches(self, path: bytes, *, is_folder: bool) -> bool:
        if self._spec is None:
            self._spec = compiled(self.patterns)
        text = path.decode("utf-8", "surrogateescape")
        return bool(self._spec.match_file(f"{text}/" if is_folder else text))


def compiled(lines: Sequence[str], where: str = "exclude pattern") -> Any:  # noqa: ANN401  imported only when needed
    """A matcher of patterns.

    Raises:
        ConfigError: one of them is none; names it as ``where``, line N.
    """
    if not lines:
        return None
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  20 ms, and most scans have no patterns

    for number, line in enumerate(lines, 1):
        try:
            GitIgnoreSpec.from_lines([line])
        except Exception as error:  # the library's errors have no class of their own in all releases
            raise ConfigError(f"{where}, line {number}: {line!r} is no gitignore pattern ({error})") from error
    return GitIgnoreSpec.from_lines(lines)
