from collections.abc import Iterable

LAYOUT: int

def lay_out(
    parts: Iterable[tuple[int, int, bytes]], bits: bytearray, shortest: int, /
) -> tuple[bytearray, list[tuple[int, int, bytes, int]], list[tuple[int, str]], int, int]: ...
def settle(batch: bytearray, at: int, content: int, /) -> None: ...
