"""Lists of files to plan: path and size, in tree order; the same seed gives the same list."""

import random
from collections.abc import Iterator

SEED = 11
FEW_HUGE = 6_000


def photos(count: int) -> Iterator[tuple[str, int]]:
    """Photographs, raw files and films by project and shoot: a few megabytes each, some gigabytes, few above a DVD."""
    rng = random.Random(SEED)
    made, project = 0, 0
    while made < count:
        project += 1
        for shoot in range(min(1 + int(rng.lognormvariate(3.2, 1.1)), 400)):
            folder = f"photos/project{project:04}/shoot{shoot:03}"
            films = rng.random() < 0.3
            for number in range(min(3 + int(rng.lognormvariate(3.2, 0.8)), 600)):
                if films and rng.random() < 0.02:
                    size = int(rng.lognormvariate(17.9, 1.2))
                    yield f"{folder}/VID_{number:04}.mov", min(size, 9_000_000_000)
                else:
                    yield f"{folder}/IMG_{number:04}.jpg", int(rng.lognormvariate(14.9, 0.6))
                made += 1
                if made == count:
                    return


def office(count: int) -> Iterator[tuple[str, int]]:
    """Documents of people and departments: many small ones in deep folders."""
    rng = random.Random(SEED + 1)
    made, team = 0, 0
    while made < count:
        team += 1
        for case in range(min(2 + int(rng.lognormvariate(4.2, 1.0)), 900)):
            for part in range(rng.randint(1, 4)):
                folder = f"office/team{team:03}/case{case:04}/{part}-papers"
                for number in range(min(1 + int(rng.lognormvariate(2.3, 0.8)), 200)):
                    yield f"{folder}/document {number:03}.odt", min(int(rng.lognormvariate(10.6, 1.7)), 400_000_000)
                    made += 1
                    if made == count:
                        return


def huge(count: int) -> Iterator[tuple[str, int]]:
    """Masters of films, 0.4 to 2.4 GB each: two to eleven fill a DVD."""
    rng = random.Random(SEED + 2)
    made, film = 0, 0
    while made < count:
        film += 1
        for reel in range(min(1 + int(rng.lognormvariate(1.8, 0.7)), 40)):
            for number in range(rng.randint(2, 6)):
                yield (
                    f"films/film{film:04}/reel{reel:02}/take{number:02}.mxf",
                    rng.randrange(400_000_000, 2_400_000_000),
                )
                made += 1
                if made == count:
                    return


LISTS = {"photos": photos, "office": office, "huge": huge}
