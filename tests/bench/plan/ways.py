"""One way to plan a list of files, in a process of its own: ``python ways.py WAY LIST CAPACITY`` prints a line of JSON.

WAY is ``odarchive`` (this project's planner), ``next-fit`` (one disc after the other, which the ancestor of this
project does) or ``first-fit`` (largest file first, each on the first disc with room). LIST has lines ``BYTES PATH`` in
tree order. Tells discs, loads (of how many discs the top folders are, added up), and seconds of the planning alone.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator

from odarchive.image import costs
from odarchive.image.costs import PathCost
from odarchive.model import SECTOR
from odarchive.plan import Columns, Shape, Stream, plan, unit_loads

RESERVED = 64 << 20
"""Of each disc, for what describes it."""


def lines(path: str) -> Iterator[tuple[int, str]]:
    """Size and path of each file."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            size, _, name = line.rstrip("\n").partition(" ")
            yield int(size), name


def columns_of(path: str) -> Columns:
    """The list as the planner wants it, with the costs that images have."""
    columns = Columns(per_mib=costs.PER_MIB)
    folders: dict[str, tuple[int, PathCost]] = {"": (-1, costs.ROOT)}

    def folder(name: str) -> tuple[int, PathCost]:
        if name not in folders:
            above, _, last = name.rpartition("/")
            number, cost = folder(above)
            last_name = last.encode()
            folders[name] = columns.add_folder(number, costs.directory_cost(cost, last_name)), cost.join(last_name)
        return folders[name]

    fixed = costs.content_cost()
    for size, name in lines(path):
        above, _, last = name.rpartition("/")
        number, cost = folder(above)
        columns.length.append(size)
        columns.overhead.append(fixed + costs.name_cost(cost, last.encode()))
        columns.folder.append(number)
    return columns


def cost_of(size: int, name: str) -> int:
    """Bytes of a file on a disc for those who plan by file."""
    return -(-size // SECTOR) * SECTOR + SECTOR + 40 * len(name)


def top(name: str) -> str:
    """The folder that a person would restore as one."""
    return "/".join(name.split("/", 2)[:2])


def odarchive(path: str, room: int) -> dict[str, float]:
    """This project's planner; ``least`` and ``bound`` are what nobody can do better than."""
    columns = columns_of(path)
    began = time.process_time()
    stream = Stream(columns)
    discs = plan(stream, Shape(room, 0))
    seconds = time.process_time() - began
    torn = sum(run.head > 0 for disc in discs for run in disc.runs)
    units: dict[str, list[int]] = {}
    for number, (_, name) in enumerate(lines(path)):
        units.setdefault(top(name), [number, 0])[1] = number + 1
    least = sum(-(-(stream.reach[end] - stream.reach[first]) // room) for first, end in units.values())
    return {
        "discs": len(discs),
        "loads": unit_loads(stream, (disc.runs for disc in discs)),
        "torn": torn,
        "bound": -(-stream.reach[-1] // room),
        "least": least,
        "seconds": seconds,
    }


def next_fit(files: Iterable[tuple[int, str]], room: int) -> Iterator[tuple[int, str]]:
    """(disc, path) in the order given; what is larger than a disc goes over several."""
    disc, free = 0, room
    for size, name in files:
        cost = cost_of(size, name)
        if cost > free:
            disc, free = disc + 1, room
        while cost > room:
            yield disc, name
            cost -= room
            disc += 1
        free -= cost
        yield disc, name


def first_fit(files: Iterable[tuple[int, str]], room: int) -> Iterator[tuple[int, str]]:
    """(disc, path), largest first; a tree of the largest gap below each node finds the first disc with room."""
    ordered = sorted(((cost_of(size, name), name) for size, name in files), reverse=True)
    width = 1 << (2 * sum(cost for cost, _ in ordered) // room + 64).bit_length()
    gaps = [room] * (2 * width)
    whole = width - 1
    for cost, name in ordered:
        while cost > room:  # from the far end: no gap is left on these
            yield whole, name
            cost -= room  # noqa: PLW2901
            whole -= 1
        at = 1
        while at < width:
            at = 2 * at if gaps[2 * at] >= cost else 2 * at + 1
        yield at - width, name
        gaps[at] -= cost
        while at > 1:
            at //= 2
            gaps[at] = max(gaps[2 * at], gaps[2 * at + 1])


def told(placed: Iterable[tuple[int, str]]) -> dict[str, float]:
    """Discs and loads of a list of (disc, path)."""
    pairs = {(disc, top(name)) for disc, name in placed}
    return {"discs": len({disc for disc, _ in pairs}), "loads": len(pairs)}


if __name__ == "__main__":
    way, where, capacity = sys.argv[1:]
    usable = int(capacity) - RESERVED
    if way == "odarchive":
        print(json.dumps(odarchive(where, usable)))
    else:
        print(json.dumps(told({"next-fit": next_fit, "first-fit": first_fit}[way](lines(where), usable))))
