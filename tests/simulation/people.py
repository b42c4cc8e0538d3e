"""People around the machine: they open its door and move discs, and later they do what they are asked.

For what a person may do: slots are reached through the door, with the arm at rest; nobody puts a disc into the parking
slot. Every act is in the trace.
"""

import json

import trio

from odarchive.catalogue import machine
from robot.ports import drive, slot
from robot.sim.world import FLOOR, DiscKind
from tests.simulation.scene import DRIVES, PARKING, SLOTS, Scene, disc_kind

REACH = 15.0
"""Seconds after the door opened in which the arm has certainly stopped."""
SHELF = "shelf"


class Person:
    """Somebody with hands."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._dice = scene.dice
        self._discs = 0

    async def wander(self) -> None:
        """Open the door now and then and do something thoughtless."""
        while True:
            await trio.sleep(self._dice.random.expovariate(1 / 5000))
            if self._dice.strikes("person"):
                await self.visit(
                    self._dice.random.choice(["swap", "move", "foreign", "blank", "take", "look", "written"])
                )

    async def visit(self, act: str) -> None:
        """Open the door, do one thing, close it."""
        world = self._scene.world
        world.open_door()
        self._dice.count(f"person {act}")
        self._dice.log(f"a person opens the door: {act}")
        await trio.sleep(REACH)
        getattr(self, f"_{act}")()
        if self._dice.strikes("hand"):
            self._hand()
        await trio.sleep(self._dice.random.choice([1, 60]))
        world.close_door()

    async def help(self) -> None:
        """Do what a machine in trouble needs: discs off the floor and the shelf back in, enough blanks."""
        self._scene.world.open_door()
        self._dice.log("a person helps")
        await trio.sleep(REACH)
        world = self._scene.world
        for place in (FLOOR, SHELF):
            while names := world.at(place):
                free = self._free() or self._make_room()
                if not free:
                    break
                self._take_to(names[-1], place, free[0])
        self._part_stacks()
        for number in range(DRIVES):
            self._scene.change(machine.release, number)
        self._blanks(3)
        await trio.sleep(5)
        world.close_door()

    def _part_stacks(self) -> None:
        """Two discs that stuck together lie in one place: part them."""
        world = self._scene.world
        for number in range(1, SLOTS + 1):
            while len(world.at(slot(number))) > 1 and (free := self._free() or self._make_room()):
                self._take_to(world.at(slot(number))[-1], str(slot(number)), free[0])

    def _blanks(self, wanted: int) -> None:
        world = self._scene.world
        blanks = [n for n in self._slots() if any(self._is_good_blank(name) for name in world.at(slot(n)))]
        while len(blanks) < wanted:
            free = self._free()
            if not free:
                waste = [
                    n for n in self._slots() if len(world.at(slot(n))) == 1 and self._is_waste(world.at(slot(n))[0])
                ]
                if not waste:
                    return
                world.remove_disc(slot(waste[0]))
                continue
            self._new(free[0], b"")
            blanks.append(free[0])

    def _make_room(self) -> list[int]:
        """Take out a disc nobody needs, for one that is needed: waste, a stranger's, a blank."""
        from tests.simulation.judge import is_waste, physical  # the judge knows the truth

        world = self._scene.world
        for number in self._full():
            (name,) = world.at(slot(number))
            if physical(self._scene, name).blank or is_waste(self._scene, name):
                world.remove_disc(slot(number))
                self._dice.log(f"a person takes {name} out of slot {number} for good")
                return self._free() or [number]
        return []

    def _is_good_blank(self, name: str) -> bool:
        path = self._scene.world.disc_path(name)
        large = json.loads(path.with_suffix(".json").read_text())["capacity"] >= disc_kind().capacity
        return large and not path.stat().st_size

    def _is_waste(self, name: str) -> bool:
        from tests.simulation.judge import is_waste  # the judge knows the truth

        return is_waste(self._scene, name)

    def _new(self, number: int, data: bytes, kind: DiscKind | None = None) -> None:
        self._discs += 1
        self._scene.world.add_disc(f"new-{self._discs}", slot(number), kind or disc_kind(), data)

    def _slots(self) -> list[int]:
        return [number for number in range(1, SLOTS + 1) if number != PARKING]

    def _free(self) -> list[int]:
        """Slots that look empty and are nobody's: discs in drives and picker have a way back."""
        world = self._scene.world
        out = sum(len(names) for place, names in _places(world) if place.split()[0] in ("drive", "picker"))
        free = [number for number in self._slots() if not world.at(slot(number))]
        return free[: max(0, len(free) - out)]

    def _full(self) -> list[int]:
        return [number for number in self._slots() if len(self._scene.world.at(slot(number))) == 1]

    def _swap(self) -> None:
        full = self._full()
        if len(full) >= 2:
            first, second = self._dice.random.sample(full, 2)
            self._dice.log(f"a person swaps {first} and {second}")
            self._scene.world.swap(slot(first), slot(second))

    def _move(self) -> None:
        full, free = self._full(), self._free()
        if full and free:
            one, other = self._dice.random.choice(full), self._dice.random.choice(free)
            self._dice.log(f"a person moves {one} to {other}")
            self._scene.world.swap(slot(one), slot(other))

    def _foreign(self) -> None:
        if free := self._free():
            self._new(self._dice.random.choice(free), b"holiday film" * 100_000)

    def _blank(self) -> None:
        if free := self._free():
            self._new(
                self._dice.random.choice(free), b"", self._dice.random.choice([disc_kind(), DiscKind(300_000, "dvd+r")])
            )

    def _written(self) -> None:
        """A disc that somebody wrote lies where a blank lay."""
        world = self._scene.world
        for number in self._full():
            (name,) = world.at(slot(number))
            if not world.disc_path(name).stat().st_size:
                self._dice.log(f"a person replaces the blank {name} in {number}")
                world.remove_disc(slot(number))
                self._new(number, b"tax papers" * 90_000)
                return

    def _take(self) -> None:
        if full := self._full():
            number = self._dice.random.choice(full)
            self._dice.log(f"a person takes the disc of slot {number} away")
            self._scene.world.shift(slot(number), SHELF)

    def _hand(self) -> None:
        """Somebody puts a disc of his own into a drive."""
        world = self._scene.world
        for number in range(DRIVES):
            if not world.at(drive(number)):
                self._discs += 1
                world.add_disc(f"new-{self._discs}", drive(number), disc_kind(), b"my music" * 100_000)
                self._dice.log(f"a person puts new-{self._discs} into drive {number}")
                return

    def _look(self) -> None:
        pass

    def _take_to(self, name: str, place: str, number: int) -> None:
        self._scene.world.remove_disc(place)
        self._scene.world._places.setdefault(str(slot(number)), []).append(name)  # type: ignore[arg-type]
        self._scene.world.save()
        self._dice.log(f"a person puts {name} into slot {number}")


def _places(world):
    return [(place, names) for place, names in world._places.items() if names]


__all__ = ["SHELF", "Person"]
