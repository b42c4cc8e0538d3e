"""systemd opens the port of the status page for the librarian and closes it with him: the units under a real systemd.

It runs as a user's manager in namespaces and with a network of its own. The librarian is a stand-in that says when it
is started, and with how many ports.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

UNITS = Path(__file__).parents[2] / "systemd"
MANAGER = Path("/lib/systemd/systemd")
LIBRARIAN = """
import os, socket, time
with open("started", "a") as file:
    file.write(os.environ.get("LISTEN_FDS", "0") + " ")
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"].replace("@", chr(0)))
time.sleep(600)
"""
SERVICE = """
[Service]
Type=notify
WorkingDirectory={here}
ExecStart=/usr/bin/env python3 {here}/librarian.py
[Install]
WantedBy=default.target
"""
# ``say`` prints a word, the states of both units, and the ports of each librarian that was started since the last time.
SCRIPT = """
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/user
ip link set lo up
export XDG_RUNTIME_DIR=/run/user HOME=$PWD/home SYSTEMD_UNIT_PATH=$PWD/units: SYSTEMD_LOG_TARGET=null
unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID
mkdir home
timeout 100 /lib/systemd/systemd --user --unit=basic.target &
manager=$!
ctl() { systemctl --user "$@" 2>>errors; }
for try in $(seq 100); do [ -S /run/user/systemd/private ] && break; sleep 0.1; done
ctl daemon-reload || { echo no manager; exit 0; }
say() {
    echo "$1: $(ctl is-active odarchive) $(ctl is-active odarchive-web.socket) $(cat started 2>/dev/null)"
    rm -f started
}
page() { python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8610), 5)' 2>/dev/null || echo refused; }
ctl start odarchive; say start
ctl enable odarchive-web.socket; ctl restart odarchive; say "enable and restart"
page; say page
ctl stop odarchive; say stop
page; page; say "page again"
ctl start odarchive; say "start again"
kill $manager
wait
"""


@pytest.mark.skipif(
    shutil.which("unshare") is None or not MANAGER.exists(), reason="systemd or unshare is not installed"
)
def test_the_port_comes_and_goes_with_the_librarian(tmp_path):
    units = tmp_path / "units"
    units.mkdir()
    shutil.copy(UNITS / "odarchive-web.socket", units)
    order, _, _ = (UNITS / "odarchive.service").read_text().partition("[Service]")
    (units / "odarchive.service").write_text(order + SERVICE.format(here=tmp_path))
    (tmp_path / "librarian.py").write_text(LIBRARIAN)
    alone = ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc"]
    alone += [] if os.getuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        [*alone, "sh", "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode or "no manager" in done.stdout:
        pytest.skip(f"no systemd can be started here: {done.stderr[-200:]}")
    assert done.stdout.splitlines() == [
        "start: active inactive 0 ",
        "enable and restart: active active 1 ",
        "page: active active ",
        "stop: inactive inactive ",
        "refused",
        "refused",
        "page again: inactive inactive ",
        "start again: active active 1 ",
    ]
