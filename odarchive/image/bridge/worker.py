"""A thread that does jobs in the order given, never far behind, and keeps what went wrong for the one who asks.

Not a pool and not for trio: `Sink` owns two of these for as long as it is open.

Concurrency: `later` and `settle` belong to the owner's thread (or to one other worker's jobs). A job that fails stops
all later ones but those marked ``always``; `check` raises what it raised.
"""

from collections.abc import Callable
from queue import SimpleQueue
from threading import BoundedSemaphore, Thread

Job = Callable[[], object]


class Worker:
    """One thread, started with the first job; end it with `close`."""

    def __init__(self, name: str, room: int) -> None:
        self._name, self._size = name, room
        self._room = BoundedSemaphore(room)
        self._jobs: SimpleQueue[tuple[Job, bool] | None] = SimpleQueue()
        self._failure: BaseException | None = None
        self._stopped = False
        self._thread: Thread | None = None

    def later(self, job: Job, *, always: bool = False) -> None:
        """Do this after all given before; waits while ``room`` jobs are open."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()
        self._room.acquire()
        self._jobs.put((job, always))

    def check(self) -> None:
        """Raise what a job raised, if one did."""
        if self._failure is not None:
            raise self._failure

    def settle(self) -> None:
        """Wait until every job is done, then `check`."""
        for _ in range(self._size):
            self._room.acquire()
        for _ in range(self._size):
            self._room.release()
        self.check()

    def close(self) -> None:
        """Skip what is open and end the thread; waits for the job in progress."""
        self._stopped = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, always = entry
            try:
                if always or not (self._stopped or self._failure):
                    job()
            except BaseException as failure:  # noqa: BLE001 - `check` raises it in the owner's thread
                self._failure = self._failure or failure
            finally:
                self._room.release()
