"""Doing a restore: bytes from wherever they come, into the target, with everything that hangs on them.

Order: directories, empty files, contents as they come, hard links, symlinks last, then the directories' own attributes
from the inside out. A name that cannot be restored is a problem with a reason; the rest goes on.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec

from odarchive.catalogue.wanted import Item, Wanted
from odarchive.errors import DamageFound
from odarchive.model import ContentId
from odarchive.restore.needs import Needs
from odarchive.restore.target import InTheWay, Landing, Target

P = ParamSpec("P")


@dataclass(slots=True)
class Outcome:
    """What became of a restore. ``problems`` are (path, why)."""

    files: int = 0
    copied: int = 0
    problems: list[tuple[bytes, str]] = field(default_factory=list)


class Work:
    """One restore; the provider calls :meth:`landing`, fills it, and calls :meth:`deliver` or :meth:`fail`."""

    def __init__(self, target: Target, needs: Needs) -> None:
        self._target = target
        self.needs = needs
        self.outcome = Outcome()
        self.open: dict[ContentId, Wanted] = {wanted.content: wanted for wanted in needs.order}
        """Contents that were not delivered yet, in the order to ask for them."""
        self.on_progress: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Everything that needs no disc."""
        for item in self.needs.unarchived:
            self.outcome.problems.append((item.path, "its bytes are not on a verified disc yet"))
        for item in self.needs.directories:
            self._try(item, self._target.directory, item)
        for item in self.needs.empty:
            self.outcome.files += self._try(item, self._target.empty, item)

    def landing(self, wanted: Wanted) -> Landing:
        """Where to put the bytes of a content."""
        return self._target.landing(wanted.size)

    def deliver(self, wanted: Wanted, landing: Landing) -> bool:
        """All bytes are there: check them and give them their names. False: they are wrong, and it stays open."""
        try:
            landing.check(wanted.digest)
        except DamageFound:
            return False
        items = self.needs.files[wanted.content]
        copies = items[1:]
        placed = int(self._try(items[0], self._target.place, landing, items[0]))
        for item in copies:
            placed += self._try(item, self._target.duplicate, landing.descriptor, item)
        self.outcome.files += placed
        self.outcome.copied += wanted.size
        self.open.pop(wanted.content, None)
        self.on_progress()
        return True

    def fail(self, wanted: Wanted, why: str) -> None:
        """These bytes cannot be had."""
        self.open.pop(wanted.content, None)
        self.outcome.problems += [(item.path, why) for item in self.needs.files[wanted.content]]

    def end(self, why: str = "") -> Outcome:
        """Links and attributes; what is still open was not restored because of ``why``."""
        for wanted in list(self.open.values()):
            self.fail(wanted, why)
        broken = {path for path, _ in self.outcome.problems}
        for first, other in self.needs.links:
            if first.path in broken:
                self.outcome.problems.append((other.path, f"it is a hard link to {os.fsdecode(first.path)!r}"))
            else:
                self.outcome.files += self._try(other, self._target.link, first, other)
        for item in self.needs.symlinks:
            self._try(item, self._target.symlink, item)
        for item in sorted(self.needs.directories, key=lambda item: -item.path.count(b"/")):
            self._try(item, self._target.finish, item)
        return self.outcome

    def _try(self, item: Item, act: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> bool:
        try:
            act(*args, **kwargs)
        except InTheWay as error:
            self.outcome.problems.append((item.path, str(error)))
        except OSError as error:
            self.outcome.problems.append((item.path, error.strerror or str(error)))
        else:
            return True
        return False


def already(target: Target, items: Sequence[Item], digests: Callable[[ContentId], bytes | None]) -> set[bytes]:
    """Paths of files that an earlier run restored."""
    return {
        item.path
        for item in items
        if item.mode & 0o170000 == 0o100000  # S_IFREG
        and target.right(item, None if item.content is None else digests(item.content))
    }
