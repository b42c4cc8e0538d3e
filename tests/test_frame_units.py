"""The systemd units: valid, hardened where they can be, and free of what would hide the mount."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent / "systemd"
NAMESPACE = re.compile(
    r"^(PrivateTmp|PrivateDevices|PrivateMounts|PrivateNetwork|ProtectSystem|ProtectHome|ProtectKernel\w+|ProtectControlGroups"
    r"|ProtectProc|ReadOnlyPaths|ReadWritePaths|InaccessiblePaths|BindPaths|TemporaryFileSystem|RootDirectory|DynamicUser"
    r"|NoNewPrivileges|SystemCallFilter|RestrictNamespaces|RestrictSUIDSGID|MemoryDenyWriteExecute)=",
    re.MULTILINE,
)
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def _analyze(*words):
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=120)


@needs_systemd
@pytest.mark.parametrize(
    "unit", sorted(path.name for path in UNITS.iterdir() if path.suffix in (".service", ".socket", ".timer"))
)
def test_units_verify(unit):
    done = _analyze("verify", str(UNITS / unit))
    assert done.returncode == 0, done.stderr
    assert unit not in done.stderr


@needs_systemd
def test_librarian_is_hardened():
    done = _analyze("security", "--offline=true", "--threshold=20", str(UNITS / "odarchive.service"))
    assert done.returncode == 0, done.stdout


def test_both_notify():
    for name in ("odarchive.service", "odarchive-mount@.service"):
        assert "\nType=notify\n" in (UNITS / name).read_text()


def test_mount_has_no_namespace_and_survives_as_dead_mount():
    text = (UNITS / "odarchive-mount@.service").read_text()
    assert not NAMESPACE.search(text)
    assert not re.search(r"^ExecStopPost=", text, re.MULTILINE)


def test_librarian_reaches_robot_and_drives_and_no_network():
    text = (UNITS / "odarchive.service").read_text()
    for device in ("block-sr", "char-sg", "char-ttyUSB", "char-ttyACM"):
        assert f"\nDeviceAllow={device} rw\n" in text
    assert "\nRestrictAddressFamilies=AF_UNIX\n" in text


def test_the_scrub_timer_asks_for_what_the_command_takes():
    text = (UNITS / "odarchive-scrub.service").read_text()
    assert "odarchive scrub --older-than ${AGE} --limit ${DISCS}" in text
    assert "Persistent=yes" in (UNITS / "odarchive-scrub.timer").read_text()


@needs_systemd
def test_the_port_of_the_status_page_is_wired_to_the_librarian(tmp_path):
    text = (UNITS / "odarchive-web.socket").read_text()
    assert "\nPartOf=odarchive.service\n" in text, "an open page would start a librarian that was stopped"
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    for name in ("odarchive.service", "odarchive-web.socket"):
        shutil.copy(UNITS / name, units)
    words = ["systemctl", f"--root={tmp_path}", "enable", "odarchive-web.socket"]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    wired = [str(path.relative_to(units)) for path in units.rglob("*") if path.is_symlink()]
    assert wired == ["odarchive.service.wants/odarchive-web.socket"], "it must come whenever the librarian starts"
    for told in (text, (UNITS.parent / "README.md").read_text()):
        assert re.search(r"systemctl enable odarchive-web\.socket", told)
        assert "--now odarchive-web" not in told, "systemd refuses a port for a service that runs"
