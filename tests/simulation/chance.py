"""Dice and counters of one seed: what goes wrong, how often, and that it did. For the simulation only.

Every disturbance asks ``Dice.strikes`` whether it happens now; the answer depends on the seed alone. In calm weather
nothing strikes. What happened is counted by name, so that a run can show which faults and which branches it met.
"""

import hashlib
import random
from collections import Counter

import trio

from robot.sim.faults import LINE_FAULTS, Fault, FaultKind


class Dice:
    """One seed's source of chance, its weather and its trace."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.storm = True
        self.rates: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self._trace = hashlib.sha256()
        self.lines: list[str] = []

    def strikes(self, name: str) -> bool:
        """Whether the fault ``name`` happens now; counts it if so."""
        if name not in self.rates:
            return False  # of a kind that this seed does not know: its story stays what it was
        if not self.storm or self.random.random() >= self.rates.get(name, 0.0):
            return False
        self.counts[f"fault {name}"] += 1
        self.log(f"fault {name}")
        return True

    def log(self, text: str) -> None:
        """Add a line to the trace."""
        line = f"{trio.current_time():.6f} {text}"
        self._trace.update(line.encode() + b"\n")
        self.lines.append(line)

    def count(self, name: str) -> None:
        """A branch was met."""
        self.counts[name] += 1

    @property
    def digest(self) -> str:
        """SHA-256 of the trace so far."""
        return self._trace.hexdigest()


class DicePlan:
    """``FaultPlan`` of a machine that takes its orders from the dice instead of a list."""

    faults = ()

    def __init__(self, dice: Dice) -> None:
        self._dice = dice

    def of_line(self, command: str) -> Fault | None:
        """A fault of the conversation, sometimes."""
        kinds = sorted(LINE_FAULTS)
        return self._draw("line", command, kinds)

    def of_motion(self, command: str) -> Fault | None:
        """A fault of the mechanics, sometimes."""
        kinds = sorted(set(FaultKind) - LINE_FAULTS)
        return self._draw("motion", command, kinds)

    def _draw(self, group: str, command: str, kinds: list[FaultKind]) -> Fault | None:
        weights = [self._dice.rates.get(kind.value, 0.0) for kind in kinds]
        rate = self._dice.rates.get(group, 0.0)
        if not self._dice.storm or not any(weights) or self._dice.random.random() >= rate:
            return None
        kind = self._dice.random.choices(kinds, weights)[0]
        at = self._dice.random.choice(["start", "held", "placed"])
        return _Counted(kind, command, at=at, seconds=self._dice.random.choice([1.0, 4.0, 8.0]), dice=self._dice)


class _Counted(Fault):
    """A fault that tells the dice when it happens."""

    def __init__(self, kind: FaultKind, command: str, *, at: str, seconds: float, dice: Dice) -> None:
        super().__init__(kind, command, at=at, seconds=seconds)
        self._dice = dice

    def hit(self) -> None:
        super().hit()
        self._dice.count(f"fault {self.kind.value}")
        self._dice.log(f"fault {self.kind.value} at {self.command}")
