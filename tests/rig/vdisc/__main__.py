"""``python -m tests.rig.vdisc DISCS DRIVES SLOTS MAILSLOTS READY``: be the devices; READY is a file it makes."""

import subprocess
import sys
import time
from pathlib import Path

from tests.rig.vdisc.changer import Changer
from tests.rig.vdisc.tcmu import TARGET, show

MODULES = ("uio", "target_core_mod", "target_core_user", "tcm_loop", "sg", "sr_mod", "ch")


def main(discs: str, drives: str, slots: str, mailslots: str, ready: str) -> None:
    for module in MODULES:
        subprocess.run(["modprobe", module], check=True)
    if not TARGET.is_dir():
        subprocess.run(["mount", "-t", "configfs", "configfs", "/sys/kernel/config"], check=True)
    changer = Changer(Path(discs).absolute(), int(drives), int(slots), int(mailslots))
    show([*((f"drive{drive.number}", drive) for drive in changer.drives), ("changer", changer)])
    Path(ready).touch()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
