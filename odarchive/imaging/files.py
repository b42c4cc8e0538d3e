"""The files of a disc as a writer sees them: made when they are looked at, never all at once."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Made(Sequence[T], Generic[T]):
    """``count`` values that ``make`` gives by their number, and others that are there, behind them."""

    def __init__(self, count: int, make: Callable[[int], T], others: Sequence[T] = ()) -> None:
        self._count, self._make, self._others = count, make, others

    def __len__(self) -> int:
        return self._count + len(self._others)

    @overload
    def __getitem__(self, number: int) -> T: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[T]: ...
    def __getitem__(self, number: int | slice) -> T | Sequence[T]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        return self._make(number) if number < self._count else self._others[number - self._count]

    def __iter__(self) -> Iterator[T]:
        yield from map(self._make, range(self._count))
        yield from self._others
