"""What readers of a mount that asks wait for: one small file each in a folder of the archive, and a person's answer.

The mount writes ``NUMBER.json`` (the content's number) and touches it while somebody waits; whoever answers writes
``NUMBER.yes`` or ``NUMBER.no`` beside it. Files, because the mount, the commands and the librarian are processes of
their own, and none of them must run for the others. A question that nobody has touched for ``STALE`` seconds is dead,
and what was answered to it is no answer to the next one.
"""

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

STALE = 60.0
FOLDER = "asked"


class Verdict(Enum):
    """What a person said."""

    ALLOWED = "yes"
    REFUSED = "no"


_VERDICTS = tuple(verdict.value for verdict in Verdict)


@dataclass(frozen=True, slots=True)
class Question:
    """A file whose reader waits. ``since``: seconds since the epoch."""

    content: int
    path: str
    size: int
    who: str
    since: float


class Box:
    """The folder. Every method is quick; what cannot be written raises OSError, what cannot be read is not there."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def ask(self, question: Question) -> None:
        """Put a question, or keep it alive."""
        self._folder.mkdir(mode=0o770, exist_ok=True)
        if not _lives(self._folder / f"{question.content}.json"):
            self._unlink(question.content, _VERDICTS)
        words = {"path": question.path, "size": question.size, "who": question.who, "since": question.since}
        fresh = self._folder / f".{question.content}.{os.getpid()}"
        fresh.write_text(json.dumps(words))
        fresh.replace(self._folder / f"{question.content}.json")

    def verdict(self, content: int) -> Verdict | None:
        """What was answered since the question was put."""
        for verdict in Verdict:
            if (self._folder / f"{content}.{verdict.value}").exists():
                return verdict
        return None

    def forget(self, content: int) -> None:
        """Nobody waits any more, or the answer has been heard."""
        for suffix in ("json", *_VERDICTS):
            with suppress(OSError):
                self._unlink(content, (suffix,))

    def answer(self, content: int, verdict: Verdict) -> None:
        """A person's answer to a question; it replaces another one."""
        self._unlink(content, (word for word in _VERDICTS if word != verdict.value))
        (self._folder / f"{content}.{verdict.value}").touch()

    def questions(self) -> list[Question]:
        """All open questions, the oldest first."""
        found = []
        with suppress(OSError):
            for path in self._folder.glob("*.json"):
                question = _read(path)
                if question is not None and self.verdict(question.content) is None:
                    found.append(question)
        return sorted(found, key=lambda question: (question.since, question.content))

    def _unlink(self, content: int, suffixes: Iterable[str]) -> None:
        for suffix in suffixes:
            with suppress(FileNotFoundError):
                (self._folder / f"{content}.{suffix}").unlink()


def _lives(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime <= STALE
    except OSError:
        return False


def _read(path: Path) -> Question | None:
    try:
        if not _lives(path):
            return None
        words = json.loads(path.read_text())
        return Question(
            int(path.stem), str(words["path"]), int(words["size"]), str(words["who"]), float(words["since"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
