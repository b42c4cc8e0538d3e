"""Readers that come all at once: ``crowd.py DIRECTORY COUNT [DESCRIPTOR]``: as many threads open and read a file each.

The files are the first of the directory, in byte order. Prints as JSON, by errno (0: read), how many and the seconds of
the slowest. A byte goes into the descriptor, which is inherited, for each one that is refused.
"""

import json
import os
import resource
import sys
import threading
import time
from contextlib import suppress

PAGE = 4096
STACK = 128 << 10
ENOUGH = 30_000
"""Descriptors."""
TOO_MANY = 77
"""Exit code where this machine does not allow so many threads."""


def main(directory: bytes, count: int, refused: int | None = None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    threading.stack_size(STACK)
    found: dict[int, list[float]] = {}

    def reader(path: bytes) -> None:
        began, number = time.monotonic(), 0
        try:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.read(descriptor, PAGE)
            finally:
                os.close(descriptor)
        except OSError as error:
            number = error.errno or 0
            if refused is not None:
                with suppress(BrokenPipeError):  # who counts has heard enough
                    os.write(refused, b".")
        found.setdefault(number, []).append(time.monotonic() - began)

    paths = [os.path.join(directory, name) for name in sorted(os.listdir(directory))[:count]]
    threads = [threading.Thread(target=reader, args=(path,)) for path in paths]
    try:
        for thread in threads:
            thread.start()
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        os._exit(TOO_MANY)
    for thread in threads:
        thread.join()
    print(json.dumps({number: [len(times), max(times)] for number, times in found.items()}))


if __name__ == "__main__":
    main(os.fsencode(sys.argv[1]), *map(int, sys.argv[2:]))
