"""What Linux itself shows of our images: `make rig`.

A hostile tree goes the whole way (catalogue, plan, image), and is then compared name by name with what the kernel's
isofs (Rock Ridge) and udf drivers show, except for what the disc's entry list says is different, and why.
"""

import hashlib
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert

from odarchive.catalogue import schema
from odarchive.catalogue.archive import UDF_SYMLINKS, YES
from odarchive.image.restore_script import Image
from odarchive.imaging import build_image
from odarchive.media import parse_medium
from odarchive.model import SECTOR
from odarchive.planning import make_plan
from tests.odarchive.hostile_trees import hostile
from tests.odarchive.planted import new_catalogue, plant
from tests.rig.kernel_mounts import LARGE, STEP, WIDE, mounts

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("RIG"), reason="slow: a kernel in an emulator; `make rig` runs it"),
]
DRIVERS = ("iso9660", "udf")


def grow(source: Path) -> None:
    """More of what only a kernel tells: modes, owners, times, sizes, many entries, depth."""
    hostile(source)
    random_bytes = random.Random(4).randbytes
    for size in (2047, 2048, 2049, 65_537, 1_048_577):
        (source / f"size {size}").write_bytes(random_bytes(size))
    for mode in (0, 0o4755, 0o2711, 0o1777, 0o444):
        path = source / f"mode {mode:o}"
        path.write_bytes(b"mode")
        path.chmod(mode)
        (source / f"folder {mode:o}").mkdir()
        (source / f"folder {mode:o}").chmod(mode)
    os.chown(source / "mode 444", 3_000_000_000, 70_000)
    for year in (1902, 1950, 1969, 2037, 2039, 2105, 2200):
        path = source / f"year {year}"
        path.write_bytes(b"%d" % year)
        os.utime(path, ns=(0, (year - 1970) * 31_556_952 * 10**9 + 123_456_789))
    many = source / "many"
    many.mkdir()
    for number in range(400):
        (many / f"{number:04} of many, with a name of some length").write_bytes(b"%d" % number)
    for target in ("a/b", "/", ".", "./x/../y", "a//b/", "x" * 300, "é" * 100, "/".join(["long component"] * 60)):
        (source / f"link {hashlib.sha256(target.encode()).hexdigest()[:6]}").symlink_to(target)
    with (source / "sparse").open("wb") as file:
        file.seek(3_000_000)
        file.write(b"end")


def image_of(source: Path, folder: Path, medium: str, *, udf_symlinks: bool = False) -> Path:
    catalogue = new_catalogue(folder / "catalogue.db")
    if udf_symlinks:
        with catalogue.write() as connection:
            connection.execute(insert(schema.archive).values(key=UDF_SYMLINKS, value=YES))
    plant(catalogue, source)
    (segment,) = make_plan(catalogue, parse_medium(medium)).segments
    assert segment.id is not None
    built = build_image(catalogue, segment.id, folder)
    catalogue.close()
    assert built.left_out == ()
    assert built.size == segment.planned_bytes
    return built.path


def entries_of(image: Path) -> dict[bytes, dict]:
    """The entry list, by the path on the disc."""
    disc = Image(os.fsencode(image))
    lines = disc.open("SET/entries.jsonl").read().splitlines()[1:]
    disc.close()
    entries = [json.loads(line) for line in lines]
    return {os.fsencode(entry.get("disc", "DATA/" + entry["path"])): entry for entry in entries}


def differences(source: Path, image: Path, driver: str, seen: dict) -> list[str]:
    """What a mounted disc shows otherwise than the source, but for what its entry list names."""
    found, view = [], "udf" if driver == "udf" else "rock-ridge"
    entries = entries_of(image)
    for place, entry in entries.items():
        reasons = {text.partition(":")[2] for text in entry.get("differs", ()) if text.startswith(view)}
        path = os.path.join(os.fsencode(source), os.fsencode(entry["path"]).partition(b"/")[2])
        about = os.lstat(path)
        shown = seen.get(place)
        if shown is None:
            if "symlink-left-out" not in reasons:
                found.append(f"{place!r} is missing")
            continue
        facts = [
            ("mode", about.st_mode, shown.mode),
            ("owner", (about.st_uid, about.st_gid), (shown.uid, shown.gid)),
            *contents(path, about, shown, reasons),
        ]
        step = 1000 if driver == "udf" else 10**9
        if not any("time" in reason for reason in reasons):
            facts.append(("mtime", about.st_mtime_ns // step * step, shown.mtime_ns))
        found += [f"{place!r}: {what} {want} is shown as {have}" for what, want, have in facts if want != have]
    extra = {path for path in seen if path.startswith(b"DATA/")} - entries.keys()
    return found + [f"{path!r} is in no list" for path in sorted(extra)]


def contents(path: bytes, about: os.stat_result, shown, reasons: set[str]):
    if stat.S_ISLNK(about.st_mode):
        if "symlink-target-normalised" not in reasons:
            yield "target", os.readlink(path), shown.target
    elif stat.S_ISREG(about.st_mode):
        yield "size", about.st_size, shown.size
        yield "links", about.st_nlink, shown.links
        yield "sha256", sha256(path, about.st_size), shown.sha256


def sha256(path: bytes, size: int) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        if size <= LARGE:
            digest.update(file.read())
        for at in range(0, size, STEP) if size > LARGE else ():
            file.seek(at)
            digest.update(file.read(WIDE))
    return digest.hexdigest()


def changed(image: Path, name: str, *, zeroed: int | None = None, padding: int = 0, tail: bytes = b"") -> Path:
    """A copy with a sector zeroed, or with so many sectors behind it."""
    copy = image.with_name(name)
    shutil.copy(image, copy)
    with copy.open("r+b") as file:
        if zeroed is not None:
            file.seek(zeroed * SECTOR)
            file.write(bytes(SECTOR))
        file.seek(0, os.SEEK_END)
        file.write(bytes(padding * SECTOR) + tail)
    return copy


def protected(image: Path, name: str) -> Path:
    """A copy with dvdisaster's error correction (RS03) behind it: the image, unchanged, grows to the size of a CD."""
    copy = image.with_name(name)
    shutil.copy(image, copy)
    command = ["dvdisaster", "-i", copy, "-mRS03", "-c"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    assert copy.stat().st_size > 700_000_000
    with image.open("rb") as one, copy.open("rb") as other:
        assert one.read() == other.read(image.stat().st_size)
    return copy


def sums(image: Path) -> dict[bytes, str]:
    """SHA256SUMS of the image, by path."""
    disc = Image(os.fsencode(image))
    lines = disc.open("SHA256SUMS").read().splitlines()
    disc.close()
    found = {}
    for line in lines:
        escaped, line = line.startswith(b"\\"), line.removeprefix(b"\\")  # noqa: PLW2901
        name = line[66:]
        if escaped:
            name = re.sub(rb"\\([\\nr])", lambda match: {b"n": b"\n", b"r": b"\r"}.get(match[1], b"\\"), name)
        found[name] = line[:64].decode()
    return found


def test_a_hostile_tree_through_the_kernel(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("owners can be given to root only")
    source = tmp_path / "source"
    source.mkdir()
    grow(source)
    image = image_of(source, tmp_path, "40MB")
    noise = random.Random(5).randbytes(3000 * SECTOR)
    images = {
        "as built": image,
        "17 sectors of padding": changed(image, "17.iso", padding=17),
        "xorriso's own padding of 177 sectors": changed(image, "177.iso", padding=177),
        "something long appended": changed(image, "appended.iso", tail=noise),
        "error correction by dvdisaster": protected(image, "rs03.iso"),
        "sector 256 zeroed": changed(image, "256.iso", zeroed=256),
        "sector 256 zeroed and 177 of padding": changed(image, "both.iso", zeroed=256, padding=177),
        "first UDF sequence zeroed": changed(image, "32.iso", zeroed=32),
    }
    shown = mounts(list(images.values()), tmp_path)
    for number, how in enumerate(images):
        for driver in DRIVERS:
            mount = shown[number, driver]
            assert mount.errors == [], (how, driver)
            assert differences(source, image, driver, mount.seen) == [], (how, driver)
            listed = sums(image)
            assert {name: mount.seen[name].sha256 for name in listed} == listed, (how, driver)
            files = {name for name, seen in mount.seen.items() if stat.S_ISREG(seen.mode)}
            assert files - listed.keys() == {b"SHA256SUMS", b"disc_info.json"}, (how, driver)
    first = shown[0, "udf"].seen
    assert {b"README.MD", b"restore.py", b"SHA256SUMS", b"catalogue.json", b"disc_info.json"} <= first.keys()
    assert first[b"DATA/src/case"].ino == first[b"DATA/src/hard"].ino != first[b"DATA/src/equal"].ino


def test_files_above_one_and_four_gibibytes_through_the_kernel(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name, size in (("1 GiB and more", (1 << 30) + 70_000), ("4 GiB and more", (4 << 30) + 123_457)):
        with (source / name).open("wb") as file:
            for at in range(0, size, STEP):
                file.seek(at)
                file.write(hashlib.sha256(b"%d" % at).digest() * 4096)
            file.truncate(size)
    image = image_of(source, tmp_path, "8GB")
    shown = mounts([image], tmp_path)
    for driver in DRIVERS:
        assert shown[0, driver].errors == []
        assert differences(source, image, driver, shown[0, driver].seen) == []


def test_symlinks_in_udf_by_option(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for number, target in enumerate(["a", "../up/./a", "/absolute", "ü/\u65e5", "a//b/", "/".join(["component"] * 60)]):
        (source / f"link {number}").symlink_to(target)
    os.symlink(b"not \xff unicode", os.path.join(os.fsencode(source), b"link \xff"))  # noqa: PTH211  names are bytes
    image = image_of(source, tmp_path, "4MB", udf_symlinks=True)
    shown = mounts([image], tmp_path)
    for driver in DRIVERS:
        assert shown[0, driver].errors == []
        assert differences(source, image, driver, shown[0, driver].seen) == []
    assert shown[0, "udf"].seen[b"DATA/src/link 1"].target == b"../up/./a"
    assert sum(bool(seen.target) for seen in shown[0, "udf"].seen.values()) == 6


def test_sums_and_restore_script_agree_with_the_kernel(tmp_path):
    """The other way round: restore.py rebuilds the tree from the image that the kernel was shown."""
    source = tmp_path / "source"
    source.mkdir()
    grow(source)
    image = image_of(source, tmp_path, "40MB")
    script = Path(sys.modules[Image.__module__].__file__ or "")
    subprocess.run([sys.executable, "-I", script, "--to", tmp_path / "back", image], check=True, capture_output=True)
    done = subprocess.run(["diff", "-r", "--no-dereference", source, tmp_path / "back" / "src"], check=False)
    assert done.returncode == 0
