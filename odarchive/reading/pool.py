"""Processes that read directories side by side; see ``worker``.

Answers come in any order. A process that dies (a mapped file that got shorter kills it) costs nothing but time: what it
owed is read in this process, without maps, and another one takes its place.

Concurrency: one thread. ``take`` blocks until a process answers; no request is sent that could fill a pipe which nobody
reads, so the two sides never wait for each other.
"""

import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Self

from odarchive.reading.folder import Reading, read_names
from odarchive.reading.rules import Rules
from odarchive.reading.tree import Tree
from odarchive.reading.worker import CHUNK, END, READ, ROWS, SPLIT, listed, receive, send

REQUESTS = 24
"""Requests one process may owe."""
REQUEST_BYTES = 16_384
"""Their length together; a pipe holds 65,536."""
DEATHS = 20
"""Processes that may die before the rest is read in this one."""


@dataclass(slots=True)
class _Request:
    number: int
    tag: int
    path: bytes
    names: Sequence[bytes] | None
    seen: set[bytes] = field(default_factory=set)

    @property
    def length(self) -> int:
        return 64 + len(self.path) + sum(len(name) + 8 for name in self.names or ())


@dataclass(slots=True)
class _Process:
    child: "subprocess.Popen[bytes]"
    requests: IO[bytes]
    answers: IO[bytes]
    owes: dict[int, _Request] = field(default_factory=dict)
    length: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A part of a directory. ``done``: the last one. ``error``: it could not be read (any further)."""

    tag: int
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
        return not self._backlog and len(self._open) < REQUESTS * self._count

    def submit(self, tag: int, path: bytes) -> None:
        """Ask for a directory; ``tag`` comes back with its answers and is used once."""
        self._open[tag] = 0
        self._ask(tag, path, None)
        self._send()

    def take(self) -> Answer:
        """The next part of any directory. Only while ``busy``."""
        while not self._ready:
            self._send()
            if not self._processes:
                self._read_here()
                continue
            for descriptor, _ in self._poll.poll():
                process = next(one for one in self._processes if one.answers.fileno() == descriptor)
                self._hear(process)
        return self._ready.popleft()

    def _ask(self, tag: int, path: bytes, names: Sequence[bytes] | None) -> None:
        self._numbers += 1
        self._open[tag] += 1
        self._backlog.append(_Request(self._numbers, tag, path, names))

    def _send(self) -> None:
        """Hand out what waits, to who owes least."""
        while self._backlog:
            request = self._backlog[0]
            if len(self._processes) < self._count and self._deaths < DEATHS:
                self._start()
            free = [one for one in self._processes if self._fits(one, request)]
            if not free:
                return
            process = min(free, key=lambda one: len(one.owes))
            process.owes[request.number] = self._backlog.popleft()
            process.length += request.length
            try:
                send(process.requests, (request.number, request.path, request.names))
            except BrokenPipeError:
                self._bury(process)

    @staticmethod
    def _fits(process: _Process, request: _Request) -> bool:
        if not process.owes:
            return True
        return len(process.owes) < REQUESTS and process.length + request.length <= REQUEST_BYTES

    def _start(self) -> None:
        command = [sys.executable, "-P", "-m", "odarchive.reading.worker"]
        # Unbuffered: what a buffer held back would be invisible to poll.
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("a child with pipes has no pipes")
        process = _Process(child, child.stdin, child.stdout)
        self._processes.append(process)
        self._poll.register(process.answers, select.POLLIN)
        try:
            root = self._tree.root
            send(process.requests, (self._tree.path, root.st_dev, root.st_ino, self._rules.values()))
        except BrokenPipeError:
            self._bury(process)

    def _hear(self, process: _Process) -> None:
        message = receive(process.answers)
        if message is None:
            self._bury(process)
            return
        number, kind, payload = message
        if kind == READ:
            self._progress(payload)
            return
        request = process.owes[number]
        if kind == ROWS:
            readings = [Reading._make(row) for row in payload]
            request.seen.update(reading.name for reading in readings)
            self._ready.append(Answer(request.tag, readings, done=False))
        elif kind == SPLIT:
            self._divide(request, payload)
        elif kind == END:
            del process.owes[number]
            process.length -= request.length
            self._end(request, OSError(payload, os.strerror(payload)) if payload else None)

    def _divide(self, request: _Request, names: Sequence[bytes]) -> None:
        part: list[bytes] = []
        length = 0
        for name in names:
            part.append(name)
            length += len(name) + 8
            if len(part) >= CHUNK or length > REQUEST_BYTES // 2:
                self._ask(request.tag, request.path, part)
                part, length = [], 0
        if part:
            self._ask(request.tag, request.path, part)

    def _end(self, request: _Request, error: OSError | None) -> None:
        self._open[request.tag] -= 1
        done = self._open[request.tag] == 0
        if done:
            del self._open[request.tag]
        if done or error is not None:
            self._ready.append(Answer(request.tag, (), done, error))

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
            names = listed(self._tree, request.path, self._rules) if request.names is None else request.names
            wanted = [name for name in names if name not in request.seen]
            for readings in self._chunks(request.path, wanted):
                self._ready.append(Answer(request.tag, readings, done=False))
        except OSError as trouble:
            error = trouble
        self._end(request, error)

    def _chunks(self, path: bytes, wanted: Sequence[bytes]) -> Iterator[list[Reading]]:
        for start in range(0, len(wanted), CHUNK):
            names = wanted[start : start + CHUNK]
            yield list(read_names(self._tree, path, names, self._rules, (self._progress, False)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.child.kill()
            _close(process)


def _close(process: _Process) -> None:
    process.requests.close()
    process.answers.close()
    process.child.kill()
    process.child.wait()
