"""Processes of this project that begin with its modules already imported, as a third of a second of each start is that.

Each is a process of its own, with its own signals, folders and standard streams, and runs the same ``__main__``; only
the interpreter was started before, and what is imported lazily is there. The tour, the demonstration and the manual
robot's terminal start interpreters as a person does.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

IMPORTED = [
    *("tests.e2e.forked", "odarchive.bootstrap", "odarchive.catalogue.check", "odarchive.cli", "odarchive.cli.burn"),
    *("odarchive.cli.init", "odarchive.cli.job", "odarchive.cli.mount", "odarchive.cli.plan", "odarchive.cli.robot"),
    *("odarchive.cli.scan", "odarchive.cli.serve", "odarchive.planning", "odarchive.scan", "odarchive.service.client"),
    *("alembic.command", "robot.sim.machines"),
]
_FORKS = multiprocessing.get_context("forkserver")


class Forked:
    """``python WORDS`` with streams of its own: as much of ``subprocess.Popen`` as the tests use.

    Args:
        words: ``-m MODULE ...``, ``-c PROGRAM ...`` or ``FILE ...``.
        out, err: files that its standard output and its errors are appended to; they may be the same.
    """

    def __init__(self, words: tuple[str, ...], env: dict[str, str], out: Path, err: Path) -> None:
        self.args = words
        for path in (out, err):
            path.touch()  # there before it has run, as who waits for its words expects
        _FORKS.set_forkserver_preload(IMPORTED)
        self._process = ForkServerProcess(target=_run, args=(words, env, str(out), str(err)))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its number."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As ``subprocess`` tells it: negative is the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, ``timeout`` seconds at most; raises ``subprocess.TimeoutExpired``."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired(list(self.args), timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def _run(words: tuple[str, ...], env: dict[str, str], out: str, err: str) -> None:
    for path, stream in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, stream)
        os.close(file)
    os.environ.clear()
    os.environ.update(env)
    option, name = words[:2] if words[0] in ("-m", "-c") else ("", words[0])
    sys.argv = [name, *words[2 if option else 1 :]]
    if option == "-m":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    elif option == "-c":
        exec(name, {"__name__": "__main__"})  # noqa: S102  of a test
    else:
        runpy.run_path(name, run_name="__main__")
