"""A librarian that kills itself with SIGKILL at its Nth durable record. Run as a process."""

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

from odarchive.bootstrap import Hooks, serve
from odarchive.catalogue.database import Catalogue


class CrashingCatalogue(Catalogue):
    """The same catalogue; dies at transaction ``at``."""

    def __init__(self, path: Path, at: int, moment: str) -> None:
        super().__init__(path)
        self._at = at
        self._moment = moment
        self._count = 0

    @contextmanager
    def write(self):
        self._count += 1
        due = self._count == self._at
        if due and self._moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        with super().write() as connection:
            yield connection
        if due and self._moment == "after":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    root, number, moment = sys.argv[1:]
    hooks = Hooks(wrap_catalogue=lambda catalogue: CrashingCatalogue(catalogue.path, int(number), moment))
    serve(Path(root), hooks=hooks)
