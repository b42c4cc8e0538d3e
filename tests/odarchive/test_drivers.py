"""Each driver is made from a configuration; what is missing or wrong in it is named."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from odarchive import config
from odarchive.cli.root import main
from odarchive.config import DRIVERS
from odarchive.drivers import BUILDERS, open_changer, open_drives
from odarchive.errors import ConfigError, RobotTrouble
from robot.changers.manual import ManualChanger
from robot.changers.mtx import MtxChanger
from robot.changers.odjp import OdjpChanger
from robot.changers.odrobot import OdRobotChanger
from robot.changers.oneletter import OneLetterChanger
from robot.changers.ras13 import Ras13Changer
from robot.changers.script import ScriptChanger

DRIVES = '\n[[drive]]\nkind = "file"\npath = "/nowhere/0"\n[[drive]]\nkind = "sr"\npath = "/dev/sr0"\n'


@pytest.fixture
def port():
    far, near = os.openpty()
    yield os.ttyname(near)
    os.close(far)
    os.close(near)


def opened(tmp_path: Path, robot: str):
    (tmp_path / "archive.toml").write_text(f"[robot]\n{robot}\n{DRIVES}")
    read = config.load(tmp_path)
    return open_changer(read, open_drives(read))


@pytest.mark.parametrize(
    ("robot", "kind"),
    [
        ('driver = "odjp"\nport = "PORT"', OdjpChanger),
        ('driver = "odjp"\nport = "PORT"\nbaud = 9600', OdjpChanger),
        ('driver = "mtx"\ndevice = "/dev/sg3"', MtxChanger),
        ('driver = "mtx"\ndevice = "/dev/sg3"\nprogram = ["a", "b"]\naltres = true\nbarcodes = false', MtxChanger),
        ('driver = "script"\nscript = ["/etc/x", "y"]\ndevice = "/dev/sg3"\nmailslots = 2', ScriptChanger),
        ('driver = "manual"\nport = "PORT"\nslots = 20\npatience = 60', ManualChanger),
        ('driver = "generic"\nport = "PORT"\nget_first = true', OneLetterChanger),
        ('driver = "ras13"\nport = "PORT"\nbins = ["input", "input", "output"]', Ras13Changer),
        ('driver = "odrobot"\nport = "PORT"', OdRobotChanger),
    ],
)
async def test_every_driver_is_made_from_its_keys(tmp_path, port, robot, kind):
    changer = opened(tmp_path, robot.replace("PORT", port))
    assert isinstance(changer, kind)
    await changer.aclose()


def test_every_name_has_a_builder_and_every_builder_a_name():
    assert set(BUILDERS) | {"none"} == set(DRIVERS)
    known = set(config.RobotConfig.__slots__)
    assert all({*driver.needs, *driver.may} <= known for driver in DRIVERS.values())


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_a_key_that_is_not_set_is_named(tmp_path, name):
    for key in DRIVERS[name].needs:
        others = "".join(
            f"{other} = {['x'] if other == 'script' else 3 if other == 'slots' else 'x'!r}\n"
            for other in DRIVERS[name].needs
            if other != key
        )
        with pytest.raises(ConfigError, match=rf"archive\.toml: \[robot\] {key} is not set; driver '{name}' needs it"):
            opened(tmp_path, f'driver = "{name}"\n{others}')


@pytest.mark.parametrize(
    ("robot", "said"),
    [
        ('driver = "none"', "no robot is configured"),
        ('driver = "magic"', "driver = 'magic' is not known; known: generic, "),
        ('driver = "ras13"\nport = "PORT"\nbins = ["input"]', "bins"),
        ('driver = "ras13"\nport = "PORT"\nbins = ["input", "output", "moon"]', "bins"),
        ('driver = "odrobot"\nport = "PORT"\ncalibration = "none.json"', "calibration: .*none.json"),
        ('driver = "mtx"\ndevice = "/dev/sg3"\nprogram = []', "program"),
        ('driver = "mtx"\ndevice = "/dev/sg3"\naltres = 1', "altres"),
        ('driver = "manual"\nslots = true', "slots"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, port, robot, said):
    with pytest.raises(ConfigError, match=said):
        opened(tmp_path, robot.replace("PORT", port))


def test_a_port_that_cannot_be_opened_is_trouble_with_the_robot(tmp_path):
    with pytest.raises(RobotTrouble, match="generic on /nowhere/tty"):
        opened(tmp_path, 'driver = "generic"\nport = "/nowhere/tty"')


def test_what_was_never_tried_on_its_machine_says_so_when_it_is_opened(tmp_path, port, caplog):
    caplog.set_level(logging.WARNING)
    opened(tmp_path, f'driver = "ras13"\nport = "{port}"')
    assert "never tried on that machine" in caplog.text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--robot", "mtx", "--device", "/dev/sg3"], {"device": "/dev/sg3"}),
        (
            ["--robot", "mtx", "--device", "d", "--program", "py -m 'a b'"],
            {"device": "d", "program": ("py", "-m", "a b")},
        ),
        (["--robot", "script", "--device", "d", "--script", "/x"], {"device": "d", "script": ("/x",)}),
        (["--robot", "manual", "--slots", "5"], {"slots": 5}),
        (["--robot", "generic", "--port", '/t"t\\y'], {"port": '/t"t\\y'}),
        ([], {}),
    ],
)
def test_init_writes_the_keys_that_were_given_and_no_others(tmp_path, words, expected):
    assert main(["init", str(tmp_path / "a"), *words]) == 0
    robot = config.load(tmp_path / "a").robot
    driver = words[1] if words else "none"
    assert robot == config.RobotConfig(driver=driver, **expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--robot", "mtx"], "needs --device"),
        (["--robot", "odjp", "--port", "p", "--slots", "4"], "--slots is not for --robot odjp"),
        (["--robot", "script", "--device", "d", "--script", "'"], "No closing quotation"),
        (["--port", "p"], "--port is not for --robot none"),
    ],
)
def test_init_says_what_is_missing_and_what_is_too_much(tmp_path, capsys, words, said):
    assert main(["init", str(tmp_path / "a"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_the_file_that_init_writes_explains_every_key(tmp_path):
    assert main(["init", str(tmp_path / "a")]) == 0
    text = (tmp_path / "a" / "archive.toml").read_text()
    for key in config.RobotConfig.__slots__:
        assert re.search(rf"^(# )?{key} = ", text, re.MULTILINE), key
    uncommented = re.sub(r"^# (\w+ = .*|\[\[drive\]\])$", r"\1", text, flags=re.MULTILINE)
    (tmp_path / "archive.toml").write_text(uncommented)
    assert config.load(tmp_path).robot.program == ("mtx",)


def test_a_person_without_terminal_is_not_waited_for_where_no_page_asks_him(tmp_path):
    (tmp_path / "archive.toml").write_text(f'[robot]\ndriver = "manual"\nslots = 3\n{DRIVES}')
    words = [sys.executable, "-m", "odarchive", "-a", str(tmp_path), "rebuild-catalog", "--from-discs", "robot"]
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        start_new_session=True,  # which has no terminal
    )
    assert done.returncode == ConfigError.exit_code, done.stderr
    assert "driver 'manual' asks on the terminal, and there is none" in done.stderr
    assert "set [robot] port to one" in done.stderr
