"""What must hold, held against the truth: the bytes of the discs and where they lie.

The judge sees the world and the catalogue; the librarian saw only sensors and labels. Each finding is one line.
"""

from dataclasses import dataclass

from blake3 import blake3

from odarchive.catalogue import discs, machine
from odarchive.catalogue.check import check
from odarchive.catalogue.discs import Disc
from odarchive.image.identity import parse_identity
from odarchive.model import DiscState, SlotState
from robot.ports import drive, slot
from robot.sim.world import DiscName
from tests.simulation.scene import DRIVES, SLOTS, Scene

SECTOR = 2048


@dataclass(frozen=True)
class Physical:
    """One physical disc as it is."""

    name: DiscName
    blank: bool
    uuid: str | None
    data: bytes


def physical(scene: Scene, name: DiscName) -> Physical:
    """The truth about a disc."""
    data = scene.world.disc_path(name).read_bytes()
    identity = parse_identity(data[16 * SECTOR : 17 * SECTOR])
    return Physical(name, not data, identity.disc if identity else None, data)


def right(disc: Disc, of: Physical) -> bool:
    """Whether the medium carries what the catalogue says the disc should."""
    return of.uuid == disc.uuid and blake3(of.data[: disc.image_size]).digest() == disc.digest


def is_waste(scene: Scene, name: DiscName) -> bool:
    """Whether nobody loses anything when this disc is thrown away."""
    disc = physical(scene, name)
    known = scene.look(discs.by_uuid, disc.uuid) if disc.uuid else None
    return not disc.blank and (known is None or not right(known, disc))


def all_discs(scene: Scene) -> list[Disc]:
    """Every burn attempt."""

    def rows(connection) -> list[Disc]:
        return [discs.get(connection, number) for number in sorted(discs.labels(connection))]

    return scene.look(rows)


def always(scene: Scene) -> list[str]:
    """Invariants that hold at any moment between two lives."""
    found = list(scene.burner.violations)
    violations = check(scene.judges, deep=False)
    found += [f"check: {violation.rule}: {violation.detail}" for violation in violations]
    media = [physical(scene, name) for name in sorted(scene.world.discs())]
    found += _identities(media)
    found += _data(scene, media)
    return found


def _identities(media: list[Physical]) -> list[str]:
    seen: dict[str, str] = {}
    found = []
    for medium in media:
        if medium.uuid is not None and medium.uuid in seen:
            found.append(f"{medium.name} and {seen[medium.uuid]} carry the same id {medium.uuid}")
        if medium.uuid is not None:
            seen[medium.uuid] = medium.name
    return found


def _data(scene: Scene, media: list[Physical]) -> list[str]:
    """Verified discs read back, archived segments have enough of them, and nothing else has lost its image."""
    found = []
    good: dict[int, int] = {}
    for disc in all_discs(scene):
        if disc.state in (DiscState.VERIFIED, DiscState.SUSPECT, DiscState.MISSING):
            if any(right(disc, medium) for medium in media):
                good[disc.segment] = good.get(disc.segment, 0) + 1
            else:
                found.append(f"disc {disc.uuid[-4:]} counts as {disc.state} but no medium carries it")
        if disc.state is DiscState.SUSPECT and not scene.dice.rates["read-error"]:
            found.append(f"disc {disc.uuid[-4:]} is suspected and was never read wrong")
        if disc.state is DiscState.SPOILED and any(right(disc, medium) for medium in media):
            found.append(f"disc {disc.uuid[-4:]} is good and was rejected")
    for number in (1, 2, 3):
        segment = scene.look(discs.segment, number)
        if segment.state == "archived" and good.get(number, 0) < scene.site.copies:
            found.append(f"segment {number} counts as archived with {good.get(number, 0)} good copies")
    return found


def beliefs(scene: Scene, *, exact: bool) -> list[str]:
    """What is believed of slots, held against them. Only while the machine rests and nobody had access unnoticed.

    ``exact``: everything was looked at since, so nothing may be uncertain any more.
    """
    found: list[str] = []
    if scene.look(machine.remembered, "epoch") != scene.machine.arm.epoch:
        return found  # a person had access, and the librarian has not looked since
    homes = _homes(scene)
    for number in range(1, SLOTS + 1):
        belief = scene.look(discs.slots).get(number)
        out = [physical(scene, name) for name in homes.get(number, ())]
        media = [physical(scene, name) for name in scene.world.at(slot(number))]
        found += _belief(scene, number, belief, out or media)
        if exact:
            found += _certain(number, belief, out or media)
    return found


def tracked(scene: Scene) -> list[str]:
    """Every good disc that lies in a slot or drive of the robot is known to lie there."""
    found = []
    for disc in all_discs(scene):
        if disc.state not in (DiscState.VERIFIED, DiscState.SUSPECT, DiscState.MISSING) or disc.slot is not None:
            continue
        for name, place in scene.world.discs().items():
            alone = len(scene.world.at(place)) == 1  # what sticks together only a person can part
            if alone and place.split()[0] in ("slot", "drive") and physical(scene, name).uuid == disc.uuid:
                found.append(f"disc {disc.uuid[-4:]} lies in {place} and nobody knows")
    return found


def _homes(scene: Scene) -> dict[int, tuple[DiscName, ...]]:
    from odarchive.catalogue import motions

    homes = scene.look(motions.homes)
    return {
        home: scene.world.at(drive(number))
        for number in range(DRIVES)
        if (home := homes.get(str(drive(number)))) is not None
    }


def _belief(scene: Scene, number: int, belief, media: list[Physical]) -> list[str]:
    if belief is None:
        return []
    first = media[0] if media else None
    match belief.state:
        case SlotState.DISC:
            disc = scene.look(discs.get, belief.disc)
            if not any(medium.uuid == disc.uuid for medium in media):
                return [f"slot {number} is labelled {disc.uuid[-4:]} but holds {first and (first.name, first.uuid)}"]
        case SlotState.BLANK if first is not None and not first.blank:
            return [f"slot {number} is believed blank but holds {first.name} ({first.uuid})"]
        case SlotState.SPOILED:
            good = [
                medium.name
                for medium in media
                if (medium.blank and medium.name not in scene.burner.refused)
                or (not medium.blank and not is_waste(scene, medium.name))
            ]
            return [f"slot {number} counts as waste but holds the good {name}" for name in good]
        case SlotState.EMPTY if first is not None and first.uuid is not None:
            return [f"slot {number} is believed empty but holds {first.name}"]
        case _:
            pass
    return []


def _certain(number: int, belief, media: list[Physical]) -> list[str]:
    if belief is None or belief.state in (SlotState.UNKNOWN, SlotState.STALE):
        if len(media) == 1:
            return [f"slot {number} is still {belief.state if belief else 'unseen'} and holds {media[0].name}"]
    elif belief.state is not SlotState.EMPTY and not media:
        return [f"slot {number} is believed {belief.state} but is empty"]
    return []
