"""The physical world of a simulated machine: what is on disk, and that it is never half of one."""

from __future__ import annotations

import json

import pytest

from robot.ports import PICKER, drive, slot
from robot.sim.faults import FaultKind, load_plan
from robot.sim.world import DiscKind, World, WorldError, person


@pytest.fixture
def world(tmp_path) -> World:
    return World.create(tmp_path / "w", slots=6, drives=2, blanks=[1, 3], kind=DiscKind(2048 * 100, "dvd+r"))


def test_a_new_world_has_its_blanks_and_closed_trays(world):
    assert world.discs() == {"disc-0001": "slot 1", "disc-0003": "slot 3"}
    assert world.disc_path("disc-0001").read_bytes() == b""
    facts = json.loads((world.directory / "discs/disc-0001.json").read_text())
    assert facts == {"capacity": 204800, "profile": "dvd+r"}
    assert not world.tray_is_open(0)
    assert not (world.directory / "drives/0/medium").is_symlink()


def test_a_disc_says_what_is_wrong_with_it(world):
    world.add_disc("scratched", slot(6), DiscKind(fail_at=4096, bad_sectors=((16, 2),)), b"data")
    facts = json.loads((world.directory / "discs/scratched.json").read_text())
    assert (facts["fail_at"], facts["bad_sectors"]) == (4096, [[16, 2]])
    with pytest.raises(WorldError, match="scratched"):
        world.add_disc("scratched", slot(5))


def test_a_world_is_the_same_when_opened_again(world):
    world.shift(slot(1), drive(1))
    world.memory["moves"] = "7"
    world.save()
    again = World.open(world.directory)
    assert (again.discs(), again.memory, again.shape) == (world.discs(), world.memory, world.shape)


def test_the_medium_of_a_drive_follows_the_disc(world):
    medium = world.directory / "drives/0/medium"
    world.shift(slot(1), drive(0))
    medium.write_bytes(b"burnt")
    assert world.disc_path("disc-0001").read_bytes() == b"burnt"
    world.shift(drive(0), PICKER)
    assert not medium.is_symlink()


def test_links_left_wrong_by_a_crash_are_set_right(world):
    world.shift(slot(1), drive(0))
    medium = world.directory / "drives/0/medium"
    medium.unlink()
    (world.directory / "drives/1/medium").symlink_to("../../discs/disc-0003.disc")
    World.open(world.directory)
    assert medium.resolve().name == "disc-0001.disc"
    assert not (world.directory / "drives/1/medium").is_symlink()


def test_a_person_swaps_adds_and_removes_behind_an_open_door(world):
    assert world.door() == (False, 0)
    with person(world.directory) as hand:
        assert world.door() == (True, 1)
        hand.swap(slot(1), slot(2))
        assert hand.remove_disc(slot(3)) == "disc-0003"
        hand.add_disc("new", slot(3))
    assert world.door() == (False, 1)
    world.reload()
    assert world.discs() == {"disc-0001": "slot 2", "new": "slot 3"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"shape": {}}'])
def test_a_damaged_world_is_named(world, text):
    (world.directory / "machine.json").write_text(text)
    with pytest.raises(WorldError, match=r"machine\.json"):
        World.open(world.directory)


def test_what_cannot_be_is_refused(world, tmp_path):
    with pytest.raises(WorldError, match="holds no world"):
        World.open(tmp_path)
    with pytest.raises(WorldError, match="already"):
        World.create(world.directory)
    with pytest.raises(WorldError, match="slots are 1-5"):
        World.create(tmp_path / "x", slots=5, blanks=range(1, 7))
    with pytest.raises(WorldError, match="slot 5"):
        world.shift(slot(5), PICKER)
    with pytest.raises(WorldError, match="slot 5"):
        world.remove_disc(slot(5))


def test_orders_for_faults_come_from_a_file(tmp_path):
    path = tmp_path / "faults.json"
    path.write_text('[{"kind": "mute", "command": "MOVE", "nth": 2, "times": 2}, {"kind": "drop", "command": "MOVE"}]')
    plan = load_plan(path)
    assert [plan.of_line("MOVE") is not None for _ in range(4)] == [False, True, True, False]
    drop = plan.of_motion("MOVE")
    assert drop is not None
    assert drop.kind is FaultKind.DROP
    drop.hit()
    assert [fault.kind for fault in plan.unfired()] == [FaultKind.MUTE]


@pytest.mark.parametrize("text", ["nonsense", '[{"kind": "mute"}]', '[{"kind": "sad", "command": "MOVE"}]', "[3]"])
def test_a_wrong_order_is_named_with_its_file(tmp_path, text):
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"faults\.json"):
        load_plan(path)
