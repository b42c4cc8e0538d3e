"""A process of its own that serves a mount, told what to do by its standard input."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent

LIMIT = 60.0
"""Seconds for one test and for one event. A server killed when they end answers all that is blocked in its mount."""


class Server:
    """A process that serves ``memory_mount.py``'s tree on a directory."""

    def __init__(self, directory: Path, log: Path, *manner: str) -> None:
        self.directory = directory
        self.manner = manner
        self.log = log
        self._events: queue.Queue[list[object]] = queue.Queue()
        path = os.pathsep.join([os.fspath(HERE.parent / "odfs"), os.fspath(HERE.parent.parent)])
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, HERE / "memory_mount.py", directory, *manner],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=os.environ | {"PYTHONPATH": path},
            )
        self._listener = threading.Thread(target=self._listen)
        self._listener.start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._events.put(json.loads(line))
        self._events.put(["closed", None])

    def event(self, expected: str) -> object:
        """Wait for the next event, which must be the expected one."""
        name, value = self._events.get(timeout=LIMIT)
        assert name == expected, f"{name} {value}, log:\n{self.log.read_text(errors='replace')}"
        return value

    def order(self, order: str) -> object:
        assert self.process.stdin
        self.process.stdin.write(order.encode() + b"\n")
        self.process.stdin.flush()
        return self.event("obeyed")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LIMIT)

    def close(self) -> None:
        """End the process and every mount on the directory."""
        self.kill()
        for _ in range(8):
            done = subprocess.run(
                ["fusermount3", "-uz", self.directory], capture_output=True, check=False, timeout=LIMIT
            )
            if done.returncode != 0:
                break
        self._listener.join(LIMIT)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


Start = Callable[..., Server]
