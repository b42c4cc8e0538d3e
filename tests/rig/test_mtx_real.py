"""MtxChanger on the real program mtx, which talks to a changer of 600 slots faked below it (``sgshim.c``)."""

import shutil
import subprocess
from pathlib import Path

import pytest
import trio

from robot.changers.mtx import MtxChanger
from robot.changers.program import Programs, TookTooLong
from robot.errors import (
    BadAddress,
    Busy,
    CommunicationLost,
    DestinationFull,
    DoorOpen,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    SourceEmpty,
)
from robot.ports import PICKER, Element, ElementKind, Fill, MachineState, drive, slot

SLOTS = 600
MAILSLOT = Element(ElementKind.MAILSLOT, 1)
needs_tools = pytest.mark.skipif(
    not (shutil.which("mtx") and shutil.which("gcc")), reason="needs mtx and gcc (apt-get install mtx gcc)"
)
pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    library = tmp_path_factory.mktemp("shim") / "sgshim.so"
    source = Path(__file__).with_name("sgshim.c")
    subprocess.run(["gcc", "-w", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


class Changer600:
    """A changer with discs in slots 1 to 3 and in the mailslot."""

    def __init__(self, shim: Path, directory: Path) -> None:
        self.state, self.device = directory / "state", directory / "sg9"
        full = {1: "ARC0001", 2: "ARC0002", 3: "ARC0003"}
        lines = ["1 500 0 -1 0 -"]
        lines += [f"2 {1000 + n} {int(n in full)} -1 0 {full.get(n, '-')}" for n in range(1, SLOTS + 1)]
        lines += ["3 2000 1 -1 0 NEW0001", "4 3000 0 -1 0 -", "4 3001 0 -1 0 -"]
        self.state.write_text("\n".join(lines) + "\n")
        self.device.touch()
        self.program = ["env", f"LD_PRELOAD={shim}", f"SGSHIM_STATE={self.state}", f"SGSHIM_LOG={directory / 'log'}"]

    def driver(self, *settings: str, **options: bool) -> MtxChanger:
        return MtxChanger(str(self.device), program=[*self.program, *settings, "mtx"], **options)

    def source_of(self, address: int) -> int:
        row = next(line.split() for line in self.state.read_text().splitlines() if line.split()[1] == str(address))
        return int(row[3])


@pytest.fixture
def changer(shim, tmp_path):
    return Changer600(shim, tmp_path)


@needs_tools
async def test_600_slots_are_told_and_discs_carried(changer):
    driver = changer.driver()
    assert (await driver.identify()).model == "VAIOChanger1"
    can = await driver.capabilities()
    assert (can.slots, can.drives, can.mailslots, can.tray_by_host) == (SLOTS, 2, 1, False)
    await driver.move(slot(1), drive(0))
    await driver.move(MAILSLOT, slot(SLOTS))
    status = await driver.status()
    assert status.state is MachineState.READY
    full = {str(state.element): state.volume_tag for state in status.elements if state.fill is Fill.FULL}
    assert full == {"slot 2": "ARC0002", "slot 3": "ARC0003", f"slot {SLOTS}": "NEW0001", "drive 0": "ARC0001"}
    await driver.move(drive(0), slot(7))
    await driver.move(slot(7), MAILSLOT)
    assert (await driver.status()).of(MAILSLOT).volume_tag == "ARC0001"


@needs_tools
async def test_a_source_that_mtx_invents_is_not_used(changer):
    driver = changer.driver("SGSHIM_NOSRC=1")
    await driver.move(slot(2), drive(1))
    assert (await driver.status()).of(drive(1)).source == slot(2)
    await driver.move(slot(3), slot(2))
    assert (await driver.status()).of(drive(1)).source not in (None, slot(2)), "the lie this test is about"
    await driver.move(drive(1), slot(500))
    assert (await driver.status()).of(slot(500)).volume_tag == "ARC0002"


@needs_tools
@pytest.mark.parametrize(
    ("source", "destination", "error"),
    [
        (slot(9), drive(0), SourceEmpty),
        (drive(0), slot(9), SourceEmpty),
        (slot(1), slot(2), DestinationFull),
        (slot(1), slot(SLOTS + 1), BadAddress),
        (slot(1), drive(2), BadAddress),
        (slot(1), slot(1), BadAddress),
        (slot(1), PICKER, BadAddress),
    ],
)
async def test_refusals(changer, source, destination, error):
    driver = changer.driver()
    with pytest.raises(error):
        await driver.move(source, destination)
    assert (await driver.status()).of(slot(1)).fill is Fill.FULL


@needs_tools
@pytest.mark.parametrize(
    ("sense", "error"),
    [
        ("4/15/1", PickFailed),
        ("4/53/0", PickFailed),
        ("2/3a/0", DriveNotEjected),
        ("5/53/2", DriveNotEjected),
        ("2/4/18", DoorOpen),
        ("6/28/0", DoorOpen),
        ("2/4/1", Busy),
        ("4/40/80", MachineFault),
    ],
)
async def test_sense_codes(changer, sense, error):
    with pytest.raises(error, match=r"mtx unload|mtx transfer|mtx load"):
        await changer.driver(f"SGSHIM_FAIL={sense}").move(slot(1), drive(0))


@needs_tools
async def test_a_machine_without_barcodes_that_answers_for_all_elements_at_once(changer):
    settings = ("SGSHIM_NOTAG=1", "SGSHIM_ALLONLY=1", "SGSHIM_MAX=40")
    with pytest.raises(MachineFault, match="READ ELEMENT STATUS"):
        await changer.driver(*settings).capabilities()
    driver = changer.driver(*settings, altres=True, barcodes=False)
    assert (await driver.capabilities()).slots == SLOTS
    await driver.move(slot(3), drive(0))
    await driver.move(drive(0), slot(SLOTS))
    assert (await driver.status()).of(slot(SLOTS)).fill is Fill.FULL


@needs_tools
async def test_no_device(changer):
    changer.device.unlink()
    with pytest.raises(CommunicationLost, match="No such file"):
        await changer.driver().status()


async def test_no_program(tmp_path):
    driver = MtxChanger("/dev/sg9", program=[str(tmp_path / "mtx")])
    with pytest.raises(CommunicationLost, match="install"):
        await driver.status()


async def test_a_program_that_is_no_longer_waited_for_goes_on_and_one_past_its_limit_is_killed(tmp_path):
    programs = Programs()
    done = tmp_path / "done"
    with trio.move_on_after(0.05):
        await programs.run(["sh", "-c", f"sleep 0.3; touch {done}"], 60)
    assert programs.is_running()
    with pytest.raises(Busy):
        await programs.run(["true"], 60)
    while programs.is_running():
        await trio.sleep(0.02)
    assert done.exists()
    with pytest.raises(TookTooLong):
        await programs.run(["sleep", "1000"], 0.05)
    assert not programs.is_running()
    assert (await programs.run(["sh", "-c", "echo out; echo err >&2; exit 3"], 60)).status == 3
