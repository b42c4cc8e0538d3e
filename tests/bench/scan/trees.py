"""Trees to scan: as many files as are wanted, small or empty or large, the same at every run."""

import os
import random
from pathlib import Path

GIB = 1 << 30
_NAMES = 19
"""Files in a directory, as SPEED's trees have them."""


def small_files(top: Path, count: int, size: int) -> Path:
    """``count`` files of about ``size`` bytes (exponentially spread); 0: empty ones."""
    rng = random.Random(7)
    noise = rng.randbytes(1 << 20)
    words = [rng.randbytes(3).hex() for _ in range(2000)]
    folder = -1
    for number in range(count):
        if number % _NAMES == 0:
            path = top / f"{number // 5700:04}" / f"{number // _NAMES % 300:03}"
            path.mkdir(parents=True)
            if folder >= 0:
                os.close(folder)
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        name = f"IMG_{number:07}_{rng.choice(words)}.jpg"
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
        if size:
            length = min(int(rng.expovariate(1 / size)) + 1, 60_000)
            at = rng.randrange(len(noise) - 60_000)
            os.write(file, b"%d " % number + noise[at : at + length])
        os.close(file)
    os.close(folder)
    return top


def large_files(top: Path, count: int) -> Path:
    """``count`` files of 1 GiB each."""
    top.mkdir()
    for number in range(count):
        block = os.urandom(1 << 22)
        with open(top / f"{number}.raw", "wb") as file:
            file.writelines(block for _ in range(GIB // len(block)))
    return top
