"""The kernel's knobs of one FUSE connection that pyfuse3 cannot reach: read-ahead, background requests, time limits.

Facts: Documentation/filesystems/fuse.rst and Documentation/ABI/testing/sysfs-class-bdi of the Linux kernel. All knobs
are optional: a kernel without them, or a user who may not turn them, leaves a mount that works and is slower.
"""

import logging
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from odfs.options import MountOptions

log = logging.getLogger(__name__)

_MOUNT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class KernelFiles:
    """Where the knobs are."""

    bdi: Path = Path("/sys/class/bdi")
    connections: Path = Path("/sys/fs/fuse/connections")
    sysctl: Path = Path("/proc/sys/fs/fuse")


def request_timeout(files: KernelFiles | None = None) -> float | None:
    """Seconds after which the kernel aborts the *whole mount* for one unanswered request; None if never.

    Since Linux 6.15; a limit set by default and a maximum apply both, the smaller wins.
    """
    directory = (files or KernelFiles()).sysctl
    limits = [_number(directory / name) for name in ("default_request_timeout", "max_request_timeout")]
    return min((limit for limit in limits if limit > 0), default=None)


def read_deadline(wanted: float, limit: float | None) -> float:
    """The longest that a read may wait, in seconds: ``wanted``, or well within the kernel's ``limit``."""
    return wanted if limit is None else min(wanted, limit * 0.75)


def tune(device: int, options: MountOptions, files: KernelFiles | None = None) -> None:
    """Turn the knobs of the mount whose ``st_dev`` is ``device``; what cannot be done is logged with what it costs."""
    files = files or KernelFiles()
    connection = files.connections / str(os.minor(device))
    if not connection.exists() and files.connections.is_dir() and os.geteuid() == 0:
        _mount_control(files.connections)
    read_ahead = files.bdi / f"{os.major(device)}:{os.minor(device)}" / "read_ahead_kb"
    freezing = "readers that wait for discs can hold up all others"
    for path, value, level, cost in (
        (read_ahead, options.read_ahead_kib, logging.INFO, "large reads are slower"),
        (connection / "max_background", options.max_background, logging.WARNING, freezing),
        (connection / "congestion_threshold", options.max_background * 3 // 4, logging.INFO, "less read-ahead"),
    ):
        try:
            path.write_text(f"{value}\n")
        except OSError as error:
            log.log(level, "cannot set %s to %d (%s): %s", path, value, error.strerror, cost)


def _number(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):
        return 0.0


def _mount_control(directory: Path) -> None:
    """Mount the FUSE control file system, as systemd does at boot; whether it helped shows when it is used."""
    command = ["mount", "-t", "fusectl", "-o", "nosuid,nodev,noexec", "fusectl", os.fspath(directory)]
    try:
        subprocess.run(command, capture_output=True, check=False, timeout=_MOUNT_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return
