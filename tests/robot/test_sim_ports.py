"""Every simulated machine behind a port of its own, with the driver people use on it. Real time, real processes."""

import subprocess
import sys

import pytest

from robot.changers.manual import ManualChanger, TerminalPerson
from robot.changers.mtx import MtxChanger
from robot.changers.odjp import OdjpChanger
from robot.changers.odrobot import OdRobotChanger
from robot.changers.oneletter import OneLetterChanger
from robot.changers.ras13 import Ras13Changer
from robot.changers.script import ScriptChanger
from robot.errors import ChangerError
from robot.ports import Element, ElementKind, Fill, MachineState, drive, slot
from robot.sim.machines import MACHINES
from robot.sim.world import World
from robot.transport import SerialStream
from robot.wire import odrobot, oneletter, ras13

CLIENT = (sys.executable, "-m", "robot.sim.client")
INPUT, OUTPUT = Element(ElementKind.INPUT_BIN, 1), Element(ElementKind.OUTPUT_BIN, 1)


async def look(_):
    return Fill.FULL


DRIVERS = {
    "openjuke": lambda port: OdjpChanger(SerialStream(port)),
    "mtx": lambda port: MtxChanger(port, program=(*CLIENT, "mtx")),
    "generic": lambda port: OneLetterChanger(SerialStream(port, **oneletter.SETTINGS), look=look),
    "ras13": lambda port: Ras13Changer(SerialStream(port, **ras13.SETTINGS)),
    "odrobot": lambda port: OdRobotChanger(SerialStream(port, **odrobot.SETTINGS)),
    "script": lambda port: ScriptChanger((*CLIENT, "script"), port, ("/dev/sr0", "/dev/sr1")),
    "manual": lambda port: ManualChanger(TerminalPerson(SerialStream(port)), slots=12, drives=2),
}


def test_there_are_at_least_six_machines_and_a_driver_for_each():
    out = subprocess.run([sys.executable, "-m", "robot.sim", "--list"], check=True, capture_output=True, text=True)
    assert out.stdout.split() == list(MACHINES)
    assert len(MACHINES) >= 6
    assert set(DRIVERS) == set(MACHINES)


@pytest.fixture(params=sorted(MACHINES))
def machine(request, tmp_path):
    """The name of a running machine and its world."""
    argv = [sys.executable, "-m", "robot.sim", request.param, "--world", tmp_path, "--instant"]
    argv += ["--slots", "12", "--blanks", "1-6", "--capacity", "1000000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert "ready on" in process.stdout.readline()
        yield request.param, tmp_path
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.e2e
async def test_a_disc_goes_into_the_drive_and_out_again(machine):
    name, directory = machine
    changer = DRIVERS[name](str(directory / "tty"))
    assert (await changer.identify()).model
    await changer.initialize()
    assert (await changer.status()).state is MachineState.READY
    can = await changer.capabilities()
    assert can.random_access is (MACHINES[name].stacked == 0)
    source, target = (slot(3), slot(12)) if can.random_access else (INPUT, OUTPUT)
    with pytest.raises(ChangerError):
        await changer.move(source, drive(9))
    if name != "odrobot":  # its pauses are real: ten seconds a move
        World.open(directory).set_tray(0, is_open=True)
        await changer.move(source, drive(0))
        (disc,) = World.open(directory).at(drive(0))
        World.open(directory).set_tray(0, is_open=True)
        await changer.move(drive(0), target)
        assert World.open(directory).at(target) == (disc,)
    await changer.aclose()
