"""A guest of Debian's own kernel with real optical burners and a real changer, made of discs in a folder.

``run`` starts it: its root is this system, read-only under a layer of memory, so that every program and the project's
own environment are there, and nothing it does reaches this system but through the shared folder. The devices are those
of ``tests.rig.vdisc``. QEMU without hardware help is slow: megabytes.
"""

import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rig.kernel_mounts import built
from tests.rig.vdisc.disc import make_blank

PROJECT = Path(__file__).parents[2]
MEGABYTES = 2000

_SCRIPT = """\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb
export PYTHONDONTWRITEBYTECODE=1
cd {project}
for m in isofs udf nls_utf8 fuse; do modprobe $m; done
{python} -m tests.rig.vdisc /run/rig/discs {drives} {slots} {mailslots} /run/vdisc.ready >/run/rig/vdisc.log 2>&1 &
for i in $(seq 200); do [ -e /run/vdisc.ready ] && break; sleep .1; done
[ -e /run/vdisc.ready ] || {{ cat /run/rig/vdisc.log >&2; exit 94; }}
for i in $(seq 50); do [ -n "$(ls -d /sys/class/scsi_changer/* 2>/dev/null)" ] && break; sleep .1; done
for d in /sys/bus/scsi/devices/*:*:*:*; do
	case $(cat $d/type):$(cat $d/model) in
	8:VIRTUAL*) export RIG_CHANGER=/dev/$(ls $d/scsi_generic);;
	5:VIRTUAL*) export RIG_DRIVE${{d##*:}}=/dev/$(ls $d/block);;
	esac
done
{command}
"""


@dataclass(frozen=True)
class Done:
    """How the command in the guest ended."""

    status: int
    out: str
    err: str


def blanks(work: Path, count: int, sectors: int) -> Path:
    """A folder with ``count`` small BD-R, named BD0001 and so on: what ``run`` fills the slots with."""
    discs = work / "discs"
    discs.mkdir()
    for number in range(1, count + 1):
        make_blank(discs / f"BD{number:04}", "bdr25", sectors)
    return discs


def run(work: Path, command: Sequence[str], *, slots: int = 8, drives: int = 2, timeout: float = 1500) -> Done:
    """Run a command of this project's environment in the guest.

    Args:
        work: the shared folder, ``/run/rig`` in the guest; its ``discs`` fill the slots in the order of their names.
        command: finds the changer's and the drives' devices in RIG_CHANGER, RIG_DRIVE0, RIG_DRIVE1 and so on.
        slots: of the changer; there is one mailslot.
        drives: of the changer.
        timeout: seconds.
    """
    python = PROJECT / ".venv/bin/python"
    values = {"project": PROJECT, "python": python, "drives": drives, "slots": slots, "mailslots": 1}
    (work / "cmd.sh").write_text(_SCRIPT.format(**values, command=shlex.join(command)))
    kernel, console = built(), work / "console"
    share = "local,security_model=none,multidevs=remap"
    argv = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", str(MEGABYTES), "-smp", "2"),
        *("-nodefaults", "-display", "none", "-no-reboot", "-kernel", kernel / "vmlinux"),
        *("-initrd", kernel / "juke.gz", "-serial", f"file:{console}"),
        *("-append", "console=ttyS0 quiet panic=-1 nokaslr mitigations=off clocksource=acpi_pm"),
        *("-virtfs", f"{share},path=/,mount_tag=host,readonly=on", "-virtfs", f"{share},path={work},mount_tag=share"),
    ]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, timeout=timeout)
    status = work / "rc"
    if not status.exists():
        raise AssertionError(f"the guest did not finish:\n{console.read_text(errors='replace')[-3000:]}")
    logs = [(work / name).read_text(errors="replace") for name in ("out.log", "err.log")]
    return Done(int(status.read_text()), *logs)
