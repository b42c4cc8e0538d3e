"""Copies that people's programs make of a mount are equal to what was archived."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.odarchive.mount.test_live_mount import Site, pytestmark  # noqa: F401  the same conditions

HOLES = bytes(300_000) + b"end" + bytes(200_000)
BODIES = {b"text": b"some text\n", b"holes": HOLES, b"zeros": bytes(65_536), b"\xff name\n": b"x" * 5000}

COPIES = {
    "cp -a": "cp -a mnt/. copy/",
    "cp --sparse=always": "cp -r --sparse=always mnt/. copy/",
    "tar": "tar -C mnt -cf - . | tar -C copy -xf -",
    "tar -S": "tar -C mnt -Scf - . | tar -C copy -xf -",
    "rsync": "rsync -aHAX mnt/ copy/",
    "bsdtar": "bsdtar -C mnt -cf - . | tar -C copy -xf -",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("copies"))
    for number, (name, body) in enumerate(BODIES.items()):
        made.add(name, 100 + number, body)
    made.mount()
    yield made
    made.unmount()
    made.catalogue.close()


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_equal(site: Site, way: str) -> None:
    program = COPIES[way].split()[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    base = site.directory.parent
    copy = base / "copy"
    copy.mkdir()
    try:
        subprocess.run(["bash", "-o", "pipefail", "-c", COPIES[way]], cwd=base, check=True, timeout=120)
        assert {
            name: Path(os.fsdecode(os.path.join(os.fsencode(copy), name))).read_bytes() for name in BODIES
        } == BODIES
        assert sorted(os.listdir(os.fsencode(copy))) == sorted(BODIES)
        assert [name for file in copy.iterdir() for name in os.listxattr(file)] == []
    finally:
        shutil.rmtree(copy)
