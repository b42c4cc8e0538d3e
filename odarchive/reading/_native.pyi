from collections.abc import Callable, Iterable, Sequence

from odarchive.reading.native import Hasher
from odarchive.reading.sheet import Sheet

LAYOUT: int

def read_usual(
    folder: int, names: Sequence[bytes], read_ns: int, hasher: Callable[[bytes], Hasher], /
) -> tuple[Sheet, list[bytes]]: ...
def told_apart(folder: int, /) -> tuple[list[bytes], list[bytes]]: ...
def compare(
    folder: int, rows: Iterable[tuple[object, ...]], snapshot: int, limit: int, /
) -> tuple[int, int, list[tuple[bytes, int, int, int]], list[tuple[bytes, list[tuple[object, ...]]]]] | None: ...
