"""What happens in the guest of ``test_juke``: an archive, a night of burning, recalls. Run by ``tests.rig.juke``.

Everything is real but the discs: the kernel's sr, sg and ch, mtx, xorriso. Leaves what it saw as JSON in the shared
folder and the logs of librarian and burner beside; judges nothing.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

SHARE = Path("/run/rig")
HOME = Path("/tmp/site")  # noqa: S108  the guest's own memory
ARCHIVE, SOURCE = HOME / "archive", HOME / "photos"
seen: dict[str, object] = {}


def odarchive(*words: str) -> str:
    """Run a command as a person would, and note how it ended."""
    began = time.monotonic()
    argv = [sys.executable, "-m", "odarchive", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    print(f"$ odarchive {' '.join(words)}\n{done.stdout}{done.stderr}", flush=True)
    print(f"({done.returncode}, {time.monotonic() - began:.0f} s)", flush=True)
    seen.setdefault("commands", []).append([words[0], done.returncode])  # type: ignore[attr-defined]
    return done.stdout


def serve() -> subprocess.Popen[bytes]:
    """Start the librarian."""
    socket = ARCHIVE / "librarian.sock"
    with (SHARE / "serve.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "odarchive", "serve"], stdout=log, stderr=log)
    end = time.monotonic() + 120
    while not socket.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    return process


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def robot() -> dict[str, object]:
    return json.loads(odarchive("robot", "status", "--json"))


def archive() -> None:
    """Make three discs' worth of files and an archive of them."""
    for number in range(3):
        folder = SOURCE / str(number)
        folder.mkdir(parents=True)
        for name in ("a.raw", "b.raw"):
            (folder / name).write_bytes(os.urandom(2_500_000))
    seen["source"] = {str(path.relative_to(SOURCE)): digest(path) for path in sorted(SOURCE.rglob("*.raw"))}
    drives = [word for n in (0, 1) for word in ("--drive", f"sr:{os.environ[f'RIG_DRIVE{n}']}")]
    odarchive("init", str(ARCHIVE), "--robot", "mtx", "--device", os.environ["RIG_CHANGER"], *drives)
    odarchive("scan", str(SOURCE))
    odarchive("plan", "--media", "8MB")


def recall() -> None:
    """Read one file of each disc through the librarian; the drives hold two of the three at most."""
    shutil.rmtree(ARCHIVE / "cache")
    librarian = serve()
    mountpoint = HOME / "mnt"
    mountpoint.mkdir()
    odarchive("mount", str(mountpoint))
    before = robot()
    read = {}
    for path in sorted(seen["source"]):  # type: ignore[call-overload]
        if path.endswith("a.raw"):
            read[path] = digest(mountpoint / "photos" / path)
    seen["recalled"] = read
    seen["loads"] = [before["loads"], robot()["loads"]]
    odarchive("umount", str(mountpoint))
    librarian.terminate()
    seen["second librarian"] = librarian.wait(120)


def mounted() -> dict[str, dict[str, str]]:
    """What the kernel's own file systems show of every disc, loaded by mtx once more; without discs they fail on."""
    shown = {}
    for number, tag in full_slots():
        mtx("load", number, "0")
        for kind in ("udf", "iso9660"):
            argv = ["mount", "-r", "-t", kind, os.environ["RIG_DRIVE0"], "/mnt"]
            if subprocess.run(argv, capture_output=True, check=False).returncode:
                continue
            with suppress(OSError):  # the spoiled disc ends in the middle
                shown[f"{tag} {kind}"] = {
                    "/".join(path.parts[-2:]): digest(path) for path in sorted(Path("/mnt").rglob("*.raw"))
                }
            subprocess.run(["umount", "/mnt"], check=True)
        mtx("unload", number, "0")
    return shown


def full_slots() -> list[tuple[str, str]]:
    """Numbers and volume tags of the slots that hold a disc."""
    rows = (line.strip() for line in mtx("status").splitlines())
    words = [
        row.removeprefix("Storage Element ") for row in rows if row.startswith("Storage Element") and "Full" in row
    ]
    return [(row.partition(":")[0], row.rpartition("=")[2]) for row in words]


def mtx(*words: str, check: bool = True) -> str:
    """Run the real mtx."""
    argv = ["mtx", "-f", os.environ["RIG_CHANGER"], *words]
    return subprocess.run(argv, capture_output=True, text=True, check=check).stdout


def main() -> None:
    HOME.mkdir()
    os.environ["ODARCHIVE"] = str(ARCHIVE)
    archive()
    librarian = serve()
    odarchive("burn", "all", "--wait")
    seen["robot"] = robot()
    seen["info"] = json.loads(odarchive("info", "--json"))
    odarchive("check")
    librarian.terminate()
    seen["first librarian"] = librarian.wait(120)
    recall()
    (SHARE / "run").mkdir()
    for log in (ARCHIVE / "run").glob("*.log"):
        shutil.copy(log, SHARE / "run")
    with closing(sqlite3.connect(ARCHIVE / "catalogue.db")) as catalogue:
        seen["events"] = catalogue.execute("SELECT kind, message FROM event ORDER BY id").fetchall()
        seen["discs"] = catalogue.execute("SELECT label, state, note FROM disc ORDER BY id").fetchall()
    for number in ("0", "1"):  # empty the drives
        for slot in range(1, 9):
            mtx("unload", str(slot), number, check=False)
    seen["mounted"] = mounted()
    (SHARE / "seen.json").write_text(json.dumps(seen, indent=1))


if __name__ == "__main__":
    main()
