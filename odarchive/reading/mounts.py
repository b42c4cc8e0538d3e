"""Which file systems a scan does not enter wherever they are mounted: archives themselves, and the kernel's own.

From ``/proc/self/mountinfo`` (proc_pid_mountinfo(5)); where there is none, nothing is known and nothing is avoided.
"""

import os
from pathlib import Path

OURS = "odarchive:"
"""How the source of a mounted archive begins."""
_KERNEL = (
    *("autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs"),
    *("fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs"),
    "tracefs",
)
"""Types whose files are no files: they have no bytes that anybody could archive."""

OWN_REASON = "is a mounted archive; its contents are not archived again"
KERNEL_REASON = "is a file system of the kernel; its contents are not archived"


def avoided(table: Path = Path("/proc/self/mountinfo")) -> dict[int, str]:
    """Device numbers of file systems that are not to be entered, and why."""
    found: dict[int, str] = {}
    try:
        lines = table.read_bytes().splitlines()
    except OSError:
        return found
    for line in lines:
        first, _, second = line.decode("utf-8", "replace").partition(" - ")
        words, more = first.split(), second.split()
        if len(words) < 3 or len(more) < 2:
            continue
        major, _, minor = words[2].partition(":")
        device = os.makedev(int(major), int(minor))
        if more[0].startswith("fuse") and more[1].startswith(OURS):
            found[device] = OWN_REASON
        elif more[0] in _KERNEL:
            found[device] = KERNEL_REASON
    return found
