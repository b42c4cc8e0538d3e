"""``python -m robot.sim`` as a process of its own, reached with pyserial through its port like any machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from robot.changers.odjp import OdjpChanger
from robot.changers.odjp_link import Patience
from robot.errors import CommunicationLost, PositionUnknown
from robot.ports import Fill, MachineState, drive, slot
from robot.sim.__main__ import MACHINES, main
from robot.sim.world import World
from robot.transport import SerialStream

QUICK = Patience(silence=0.3, repeats=2)
ROOT = Path(__file__).parents[2]


@contextmanager
def simulator(world: Path, *options: str):
    command = [sys.executable, "-m", "robot.sim", "openjuke", "--world", str(world), *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == f"openjuke ready on {world / 'tty'}\n"
            yield process
        finally:
            process.kill()


def changer(world: Path) -> OdjpChanger:
    return OdjpChanger(SerialStream(str(world / "tty")), patience=QUICK)


def test_the_list_has_one_name_a_line(capsys):
    assert main(["--list"]) == 0
    assert capsys.readouterr().out.splitlines() == list(MACHINES)


@pytest.mark.parametrize("arguments", [[], ["openjuke"], ["kettle", "--world", "x"], ["openjuke", "--blanks", "a-b"]])
def test_wrong_arguments_end_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err


def test_a_world_that_cannot_be_made_ends_with_one_line(tmp_path, capsys):
    assert main(["openjuke", "--world", str(tmp_path), "--slots", "5"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "slots are 1-5" in line


@pytest.mark.e2e
async def test_a_machine_on_a_port_survives_its_hosts_and_its_own_death(tmp_path):
    world = tmp_path / "juke"
    with simulator(world, "--instant", "--slots", "600", "--capacity", "1000000") as process:
        assert main(["openjuke", "--world", str(world)]) == 1, "a second machine in one world"
        for number in (1, 2):
            host = changer(world)
            await host.initialize()
            (world / "drives/0/tray").write_text("open")
            await host.move(slot(number), drive(0))
            assert (world / "drives/0/medium").resolve().name == f"disc-{number:04}.disc"
            await host.move(drive(0), slot(100 + number))
            await host.aclose()
        host = changer(world)
        assert (await host.status()).moves == 4
        before = (await host.status()).epoch
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        with pytest.raises((CommunicationLost, PositionUnknown)):
            await host.move(slot(3), slot(103))
        await host.aclose()
    with simulator(world, "--instant") as process:
        host = changer(world)
        status = await host.status()
        assert (status.state, status.moves) == (MachineState.UNINITIALISED, 4)
        assert status.epoch != before
        await host.initialize()
        full = [e.element.number for e in (await host.status()).elements if e.fill is Fill.FULL]
        assert full == [*range(3, 41), 101, 102]
        await host.aclose()
        process.terminate()
        assert process.wait(60) == 0
    assert not (world / "tty").is_symlink()
    assert World.open(world).at(slot(101)) == ("disc-0001",)


@pytest.mark.e2e
@pytest.mark.parametrize("cut", [0.02, 0.1, 0.2, 0.25, 0.35])
async def test_a_machine_killed_while_it_moves_loses_no_disc(tmp_path, cut):
    world = tmp_path / "juke"
    with simulator(world, "--speed", "25", "--slots", "10", "--blanks", "1-3") as process:
        host = changer(world)
        await host.initialize()
        with trio.move_on_after(cut):
            await host.move(slot(1), slot(5))
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        await host.aclose()
    places = World.open(world).discs()
    assert set(places) == {"disc-0001", "disc-0002", "disc-0003"}
    assert places["disc-0001"] in {"slot 1", "picker 0", "slot 5"}


@pytest.mark.e2e
async def test_faults_come_from_a_file_and_those_that_never_happened_are_told(tmp_path):
    faults = tmp_path / "faults.json"
    orders = [{"kind": "mute", "command": "MOVE"}, {"kind": "jam-held", "command": "MOVE", "nth": 99}]
    faults.write_text(json.dumps(orders))
    world = tmp_path / "juke"
    with simulator(world, "--instant", "--slots", "9", "--blanks", "1", "--faults", str(faults)) as process:
        host = changer(world)
        await host.initialize()
        await host.move(slot(1), slot(2))
        assert (await host.status()).moves == 1
        await host.aclose()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert "jam-held" in process.stderr.read()
