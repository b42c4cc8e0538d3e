"""Processes that read directories side by side; see ``worker``.

Answers come in any order. A process that dies (a mapped file that got shorter kills it) costs nothing but time: what it
owed is read in this process, without maps, and another one takes its place.

Concurrency: one thread. ``take`` blocks until a process answers; no request is sent that could fill a pipe which nobody
reads, so the two sides never wait for each other.
"""

import fcntl
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any, Self

from odarchive.reading import sheet
from odarchive.reading.folder import Means, Reading, read_names
from odarchive.reading.rules import Rules
from odarchive.reading.tree import Tree
from odarchive.reading.worker import (
    AT_ONCE,
    CHUNK,
    END,
    NO_ROWS,
    READ,
    ROWS,
    SPLIT,
    Frames,
    Rows,
    Wanted,
    framed,
    listed,
    send,
    write,
)

REQUESTS = 400
"""Requests one process may owe: enough to read while this process writes a batch into the database."""
AT_A_TIME = 16
"""Requests that may wait to be written together, while there are answers to be taken."""
REQUEST_BYTES = 49_152
"""Their length together; a pipe holds 65,536."""
DEATHS = 20
"""Processes that may die before the rest is read in this one."""


@dataclass(slots=True)
class _Request:
    number: int
    tag: int
    path: bytes
    asked_ns: int
    names: Wanted = None
    heard: list[Rows] = field(default_factory=list)
    length: int = field(init=False)
    """Bytes of its frame, at least."""

    def __post_init__(self) -> None:
        self.length = 64 + len(self.path)
        if self.names is not None:
            self.length += sum(len(name) + 8 for names in self.names for name in names)

    @property
    def frame(self) -> bytes:
        return framed((self.number, self.path, self.names, self.asked_ns))

    def rest(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of the names that were not answered."""
        seen = {name for plain, _ in self.heard for name in sheet.names(plain)}
        seen.update(row[0] for _, readings in self.heard for row in readings)
        return [name for name in names if name not in seen]


@dataclass(slots=True)
class _Process:
    child: "subprocess.Popen[bytes]"
    requests: IO[bytes]
    answers: IO[bytes]
    owes: dict[int, _Request] = field(default_factory=dict)
    length: int = 0
    frames: Frames = field(init=False)

    def __post_init__(self) -> None:
        self.frames = Frames(self.answers)


@dataclass(frozen=True, slots=True)
class Answer:
    """A part of a directory. ``done``: the last one. ``error``: it could not be read (any further)."""

    tag: int
    plain: sheet.Sheet
    readings: Sequence[Reading]
    done: bool
    error: OSError | None = None


class Pool:
    """A context manager; the processes are started by the first request and end with the block."""

    def __init__(self, tree: Tree, rules: Rules, count: int, progress: Callable[[int], None]) -> None:
        self._tree, self._rules, self._count, self._progress = tree, rules, count, progress
        self._processes: list[_Process] = []
        self._poll = select.poll()
        self._open: dict[int, int] = {}
        self._backlog: deque[_Request] = deque()
        self._ready: deque[Answer] = deque()
        self._numbers = 0
        self._deaths = 0

    @property
    def busy(self) -> bool:
        """Whether anything was asked for that is not answered."""
        return bool(self._open or self._ready)

    @property
    def room(self) -> bool:
        """Whether another directory may be asked for now."""
        return len(self._backlog) < AT_A_TIME and len(self._open) < REQUESTS * self._count

    def submit(self, tag: int, path: bytes, asked_ns: int) -> None:
        """Ask for a directory; ``tag`` comes back with its answers and is used once. ``asked_ns``: since the epoch."""
        self._open[tag] = 0
        self._ask(_Request(0, tag, path, asked_ns))
        if len(self._backlog) >= AT_A_TIME:
            self._send()

    def take(self) -> Answer:
        """The next part of any directory. Only while ``busy``."""
        while not self._ready:
            self._send()
            if self._ready:  # of a process that has died
                break
            if not self._processes:
                self._read_here()
                continue
            for descriptor, _ in self._poll.poll():
                process = next(one for one in self._processes if one.answers.fileno() == descriptor)
                self._hear(process)
        return self._ready.popleft()

    def _ask(self, request: _Request) -> None:
        self._numbers += 1
        request.number = self._numbers
        self._open[request.tag] += 1
        self._backlog.append(request)

    def _send(self) -> None:
        """Hand out what waits, to who owes least; what one process gets is written at once."""
        frames: dict[int, list[bytes]] = {}
        while self._backlog:
            if len(self._processes) < self._count and self._deaths < DEATHS:
                self._start()
            process = self._free(self._backlog[0].length)
            if process is None:
                break
            request = self._backlog.popleft()
            process.owes[request.number] = request
            process.length += request.length
            frames.setdefault(process.child.pid, []).append(request.frame)
        for process in [one for one in self._processes if one.child.pid in frames]:
            try:
                write(process.requests, b"".join(frames[process.child.pid]))
            except BrokenPipeError:
                self._bury(process)

    def _free(self, length: int) -> _Process | None:
        """Who owes least of those that may be asked for so many bytes more."""
        best = None
        for one in self._processes:
            owes = len(one.owes)
            fits = not owes or (owes < REQUESTS and one.length + length <= REQUEST_BYTES)
            if fits and (best is None or owes < len(best.owes)):
                best = one
        return best

    def _start(self) -> None:
        command = [sys.executable, "-P", "-m", "odarchive.reading.worker"]
        # Unbuffered: what a buffer held back would be invisible to poll.
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a child with pipes has no pipes")
        with suppress(OSError):
            fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, AT_ONCE)
        process = _Process(child, child.stdin, child.stdout)
        self._processes.append(process)
        self._poll.register(process.answers, select.POLLIN)
        try:
            root = self._tree.root
            send(process.requests, (self._tree.path, root.st_dev, root.st_ino, self._rules.values()))
        except BrokenPipeError:
            self._bury(process)

    def _hear(self, process: _Process) -> None:
        messages = process.frames.read()
        if messages is None:
            self._bury(process)
        else:
            for message in messages:
                self._understand(process, *message)

    def _understand(self, process: _Process, number: int, kind: int, payload: Any) -> None:  # noqa: ANN401  as ``worker`` says
        if kind == READ:
            self._progress(payload)
            return
        request = process.owes[number]
        if kind == SPLIT:
            for place, names in enumerate(payload):
                for part in _parts(names):
                    self._ask(
                        _Request(0, request.tag, request.path, request.asked_ns, ((), part) if place else (part, ()))
                    )
            request.names = ((), ())  # its names are owed by the parts; should it die now, nothing is read twice
        elif kind == ROWS:
            request.heard.append(payload)
            self._ready.append(_answer(request, payload, done=False))
        else:
            del process.owes[number]
            process.length -= request.length
            error = OSError(payload, os.strerror(payload)) if kind == END else None
            self._end(request, error, NO_ROWS if error else payload)

    def _end(self, request: _Request, error: OSError | None, rows: Rows) -> None:
        self._open[request.tag] -= 1
        done = self._open[request.tag] == 0
        if done:
            del self._open[request.tag]
        if done or error is not None or any(rows):
            self._ready.append(_answer(request, rows, done=done, error=error))

    def _bury(self, process: _Process) -> None:
        """What a dead process owes is read here, at once."""
        self._deaths += 1
        self._processes.remove(process)
        self._poll.unregister(process.answers)
        _close(process)
        self._backlog.extendleft(process.owes.values())
        for _ in range(len(process.owes)):
            self._read_here()

    def _read_here(self) -> None:
        request = self._backlog.popleft()
        error = None
        try:
            given = request.names
            names = listed(self._tree, request.path, self._rules) if given is None else [*given[0], *given[1]]
            wanted = request.rest(names)
            means = Means(self._rules, self._progress, mapped=False, read_ns=request.asked_ns)
            for start in range(0, len(wanted), CHUNK):
                found = list(read_names(self._tree, request.path, wanted[start : start + CHUNK], means))
                plain = sheet.packed(one for one in found if not isinstance(one, Reading))
                readings = [one for one in found if isinstance(one, Reading)]
                self._progress(sheet.total(plain))
                self._ready.append(Answer(request.tag, plain, readings, done=False))
        except OSError as trouble:
            error = trouble
        self._end(request, error, NO_ROWS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.child.kill()
            _close(process)


def _answer(request: _Request, rows: Rows, *, done: bool, error: OSError | None = None) -> Answer:
    return Answer(request.tag, rows[0], [Reading._make(row) for row in rows[1]], done, error)


def _parts(names: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Of a size that a process may be asked for at once."""
    part: list[bytes] = []
    length = 0
    for name in names:
        part.append(name)
        length += len(name) + 8
        if len(part) >= CHUNK or length > REQUEST_BYTES // 2:
            yield part
            part, length = [], 0
    if part:
        yield part


def _close(process: _Process) -> None:
    process.requests.close()
    process.answers.close()
    process.child.kill()
    process.child.wait()
