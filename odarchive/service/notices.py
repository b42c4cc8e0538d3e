"""Tells a person what needs him, in the ways of ``[notify]``: each cause once, and never in the way of the work.

A cause is told when it has lasted ``after`` seconds; it is forgotten when it has been gone for ``FORGOTTEN`` seconds,
so that it is told again only when it comes again. What happens once (a spoiled disc, a job that failed) is told by its
line of the diary. What was told, and what a way still has to tell, lies in a file: a restart repeats nothing and
forgets nothing (who was killed while a message went out sends it again). A way that fails is tried again ever more
rarely, without holding up the others.

Concurrency: one task looks; each way has a task of its own, fed through its outbox.
"""

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

import trio

from odarchive.catalogue import diary
from odarchive.librarian.scheduler import Librarian
from odarchive.service.hooks import Hook, Message, NotTold
from odarchive.service.needs import needs, open_jobs

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks."""
FORGOTTEN = 600.0
SOON, LATE = 60.0, 3600.0
"""Seconds until a way that failed is tried again: at first, and at the most."""
KEPT = 50
"""Messages kept for a way that fails; older ones are dropped."""
KINDS = (
    "disc-missing",
    "job-failed",
    "quarantine",
    "read-failed",
    "repaired",
    "spoiled",
    "surprise",
    "verify-failed",
    "wrong-disc",
)
"""Of the diary's lines those that a person should know of although nothing waits for him."""
_FILE = "told.json"


class Memory:
    """Which causes were told, how far the diary, and what waits in each way; survives a restart."""

    def __init__(self, path: Path, line: int) -> None:
        """``line``: of the diary, from which on it is told when nothing is remembered."""
        self._path = path
        self.told: dict[str, float] = {}
        """Causes told, by how many seconds ago they were last seen to last."""
        self.line = line
        self.waiting: dict[str, list[Message]] = {}
        """What each way still has to tell."""
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            kept = json.loads(path.read_text("utf-8"))
            waiting = {
                str(name): [Message(str(title), str(text)) for title, text in messages]
                for name, messages in kept.get("waiting", {}).items()
            }
            told, self.line = {str(cause): 0.0 for cause in kept["told"]}, int(kept["line"])
            self.told, self.waiting = told, waiting

    def save(self) -> None:
        """Write it down; a full disk costs a repetition, not the work."""
        half = self._path.with_name(f"{self._path.name}.new")
        waiting = {name: [[one.title, one.text] for one in messages] for name, messages in self.waiting.items()}
        try:
            half.write_text(json.dumps({"told": list(self.told), "line": self.line, "waiting": waiting}), "utf-8")
            half.replace(self._path)
        except OSError as error:
            log.warning("%s: %s", self._path, error)


class Due:
    """Which causes are to be told now. Pure."""

    def __init__(self, memory: Memory, after: float) -> None:
        """``after``: seconds that a cause must last."""
        self._memory, self._after = memory, after
        self._since: dict[str, float] = {}

    def new(self, causes: Iterable[str], now: float, passed: float) -> list[str]:
        """Causes that are told now, given all that last at ``now``, ``passed`` seconds after the last call."""
        present = list(dict.fromkeys(causes))
        told = self._memory.told
        self._since = {cause: self._since.get(cause, now) for cause in present}
        for cause in list(told):
            told[cause] = 0.0 if cause in self._since else told[cause] + passed
            if told[cause] >= FORGOTTEN:
                del told[cause]
        due = [cause for cause in present if cause not in told and now - self._since[cause] >= self._after]
        told.update(dict.fromkeys(due, 0.0))
        return due


class Outbox:
    """What one way still has to tell."""

    def __init__(self, name: str, hook: Hook, memory: Memory) -> None:
        self._name, self._hook, self._memory = name, hook, memory
        self._messages = memory.waiting.setdefault(name, [])
        self._more = trio.Event()

    def put(self, message: Message) -> None:
        """Tell it as soon as this way works; who puts it has the memory saved."""
        self._messages.append(message)
        del self._messages[:-KEPT]
        self._more.set()

    async def run(self) -> None:
        """Tell what waits and what comes, until cancelled. A thread that tells then is left to its time limit."""
        pause = SOON
        while True:
            while self._messages:
                message = self._messages[0]
                try:
                    await trio.to_thread.run_sync(partial(self._hook, message), abandon_on_cancel=True)
                except NotTold as error:
                    log.warning("notification by %s failed, tried again in %g s: %s", self._name, pause, error)
                    await trio.sleep(pause)
                    pause = min(2 * pause, LATE)
                else:
                    pause = SOON
                    if message in self._messages:
                        self._messages.remove(message)
                    self._memory.save()
            self._more = trio.Event()
            await self._more.wait()


async def tell(librarian: Librarian, ways: Mapping[str, Hook]) -> None:
    """Tell what needs a person, until cancelled."""
    room = librarian.room
    memory = Memory(room.config.root / "run" / _FILE, await room.read(diary.last))
    due = Due(memory, room.config.notify.after)
    memory.waiting = {name: messages for name, messages in memory.waiting.items() if name in ways}
    outboxes = [Outbox(name, hook, memory) for name, hook in ways.items()]
    title = f"odarchive {room.config.root.name}"
    async with trio.open_nursery() as nursery:
        for outbox in outboxes:
            nursery.start_soon(outbox.run)
        before = trio.current_time()
        while True:
            lines = await _news(librarian, memory, due, trio.current_time() - before)
            before = trio.current_time()
            if lines:
                for outbox in outboxes:
                    outbox.put(message(title, lines))
                memory.save()
            await trio.sleep(EVERY)


async def _news(librarian: Librarian, memory: Memory, due: Due, passed: float) -> list[str]:
    """Lines to tell now: what lasts and was not told yet, and what has happened."""
    lasting = {need.cause: need for need in needs(librarian, await open_jobs(librarian))}
    fresh = [lasting[cause] for cause in due.new(lasting, trio.current_time(), passed)]
    lines = [f"{need.title} {need.detail}".strip() for need in fresh]
    happened = await librarian.room.read(diary.after, memory.line, KINDS, KEPT)
    for line in happened:
        memory.line = line.id
        if line.message not in lines:
            lines.append(line.message)
    return lines


def message(title: str, lines: list[str]) -> Message:
    """One message of all that is new."""
    head, *clean = ["".join(letter if letter.isprintable() else "?" for letter in line) for line in (title, *lines)]
    more = f" (and {len(clean) - 1} more)" if len(clean) > 1 else ""
    return Message(f"{head}: {clean[0][:120]}{more}", "\n".join(clean))
