"""Parity discs as images: made from payloads, and found again among images, damaged ones included.

On a parity disc lie, in this order: README, ``disc_info.json``, ``PARITY/1-set.json``, ``PARITY/2-checksums.bin``,
``PARITY/3-parity.bin`` and behind it both descriptions once more. The second copy is at least so long that a share of
parity / discs of the whole image, counted from its end, takes no more of the payload than of a data disc: what fades
with the edge is first the copy.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from blake3 import blake3

from odarchive.errors import DamageFound
from odarchive.image import ondisc, udf
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.spec import Attributes, Directory, DiscPath, File, ImageTree, Inode, VolumeInfo
from odarchive.image.writer import PreparedImage
from odarchive.model import SECTOR
from odarchive.offline.disc import ImageDisc
from odarchive.offline.errors import BadDisc
from odarchive.offline.udf_files import UdfTree
from odarchive.parity.discset import DiscSet, parse
from odarchive.parity.work import Checks

FOLDER, SET, CHECKS, PAYLOAD = "PARITY", "1-set.json", "2-checksums.bin", "3-parity.bin"
CHECKS_COPY, SET_COPY = "4-checksums.bin", "5-set.json"  # writers lay files out in the order of their names
_PAYLOAD_FILE = 4
_SLACK = 4096


@dataclass(frozen=True, slots=True)
class ImageFile:
    """The bytes of an image file, or of the payload in one (``offset``)."""

    descriptor: int
    offset: int = 0

    def read(self, offset: int, size: int) -> bytes:
        """See ``work.Source``."""
        return os.pread(self.descriptor, size, self.offset + offset)

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """See ``work.Sink``."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self.descriptor, view, self.offset + offset)
            view, offset = view[done:], offset + done


def described(of: DiscSet, checks: Checks) -> DiscSet:
    """The set with what is known only when its discs are laid out: where payloads begin, and the checksums' digest."""
    settled = replace(of, checks=blake3(checks.tobytes()).digest())
    prepared = _laid_out(settled, 0, checks, None)
    return replace(settled, payload=prepared.sectors[_PAYLOAD_FILE] * SECTOR)


def make_image(of: DiscSet, number: int, checks: Checks, payload: Path, out: Path) -> None:
    """Write the image of parity disc ``number`` (from 0); the same set gives the same bytes."""
    prepared = _laid_out(of, number, checks, payload)
    if prepared.sectors[_PAYLOAD_FILE] * SECTOR != of.payload:
        raise DamageFound("this parity set was laid out by another version; its parity discs cannot be made again")
    with out.open("wb") as file:
        prepared.write(file.fileno())
        file.flush()
        os.fsync(file.fileno())


def _laid_out(of: DiscSet, number: int, checks: Checks, payload: Path | None) -> PreparedImage:
    first = BridgeWriter().prepare(_tree(of, number, checks, payload, 0))
    head = first.sectors[_PAYLOAD_FILE] * SECTOR
    share = of.layout.parity / of.layout.discs
    tail = int(share * head / (1 - share)) + 2 * of.layout.block
    return BridgeWriter().prepare(_tree(of, number, checks, payload, tail))


def _tree(of: DiscSet, number: int, checks: Checks, payload: Path | None, tail: int) -> ImageTree:
    member = of.members[of.layout.data + number]
    own = Attributes(0o444, 0, 0, of.created_ns)
    text = of.to_json()
    # Numbers in it may get longer until the image is laid out; its place must not.
    head = text[:-1].ljust(-(-(len(of_longest(of)) + _SLACK) // SECTOR) * SECTOR - 1) + b"\n"
    copy = head[:-1].ljust(max(tail, len(head)) - 1) + b"\n"
    info = ondisc.disc_info(
        label=member.label, segment=member.segment, archive=of.archive, disc=NO_DISC, created_ns=of.created_ns
    )

    table = checks.tobytes()
    readme = _readme(of, member.label)
    texts = {0: readme, 1: info, 2: head, 3: table, 5: table, 6: copy}

    def opened(number: int) -> int | Iterable[bytes]:
        if number in texts:
            return (texts[number],)
        assert payload is not None  # noqa: S101  only images that are written are opened
        return os.open(payload, os.O_RDONLY | os.O_CLOEXEC)  # the writer closes it

    def file(path: DiscPath, size: int) -> File:
        return File((Inode((path,), own),), size)

    files = (
        file((ondisc.README,), len(readme)),
        file((ondisc.DISC_INFO,), len(info)),
        file((FOLDER, SET), len(head)),
        file((FOLDER, CHECKS), len(table)),
        file((FOLDER, PAYLOAD), of.layout.length * of.layout.block),
        file((FOLDER, CHECKS_COPY), len(table)),
        file((FOLDER, SET_COPY), len(copy)),
    )
    identity = DiscIdentity(of.archive, NO_DISC, member.label)
    volume = VolumeInfo(identity, of.created_ns)
    return ImageTree(volume, (Directory((FOLDER,), Attributes(0o555, 0, 0, of.created_ns)),), files, opened)


def of_longest(of: DiscSet) -> bytes:
    """The description with every number that is settled late at its longest."""
    return replace(of, payload=2**48 - 1).to_json()


def _readme(of: DiscSet, label: str) -> bytes:
    names = ", ".join(member.label for member in of.members)
    return (
        f"# {label}\n\nThis disc holds no files but parity: with it, lost or damaged discs of its set can be made "
        f"again.\nThe set: {names}.\nAny {of.layout.parity} of these {of.layout.discs} discs may be lost. "
        f"`odarchive repair` does it; {FOLDER}/{SET} describes the code in words.\n"
    ).encode()


@dataclass(slots=True)
class Gathered:
    """A set as far as images of it were found."""

    of: DiscSet
    checks: Checks
    checked: bool
    """Whether the checksums are there; without them only a complete set of data discs helps."""
    images: dict[int, ImageFile]
    """By number in the set: images of data discs, payloads of parity discs."""
    paths: dict[int, Path]


@contextmanager
def gather(paths: Iterable[Path]) -> Iterator[Gathered]:
    """Find a set among images: its description from any parity disc, then every disc of it by its label.

    Raises:
        DamageFound: no readable description is among them, or they are of several sets.
    """
    opened: list[tuple[Path, int]] = []
    try:
        for path in paths:
            opened.append((path, os.open(path, os.O_RDONLY | os.O_CLOEXEC)))
        of = _description(opened)
        checks = _checksums(of, opened)
        known = checks is not None
        if checks is None:
            checks = np.zeros((of.layout.discs, of.layout.length), np.uint64)
        found = Gathered(of, checks, known, {}, {})
        for path, descriptor in opened:
            number = _number(of, _label(path, descriptor))
            if number is not None and number not in found.images:
                parity = number >= of.layout.data
                found.images[number] = ImageFile(descriptor, of.payload if parity else 0)
                found.paths[number] = path
        yield found
    finally:
        for _, descriptor in opened:
            os.close(descriptor)


def _number(of: DiscSet, label: str) -> int | None:
    """The member with a label; further copies of a disc are called LABEL_2, LABEL_3, ..."""
    labels = {member.label: number for number, member in enumerate(of.members)}
    stem, _, copy = label.rpartition("_")
    return labels.get(label, labels.get(stem) if copy.isdigit() else None)


def _description(opened: list[tuple[Path, int]]) -> DiscSet:
    found: dict[str, DiscSet] = {}
    for path, descriptor in opened:
        for one in _descriptions(path, descriptor):
            found[one.uuid] = one
    if len(found) > 1:
        raise DamageFound("these are images of several parity sets; give those of one")
    if not found:
        raise DamageFound("no parity disc with a readable description is among these images")
    return next(iter(found.values()))


def _descriptions(path: Path, descriptor: int) -> Iterator[DiscSet]:
    """What an image, or a description kept beside the images, says of its set."""
    for name in (SET, SET_COPY):
        try:
            yield parse(path.read_bytes() if path.suffix == ".json" else _file(descriptor, name))
        except DamageFound:
            continue
        return


def _checksums(of: DiscSet, opened: list[tuple[Path, int]]) -> Checks | None:
    for _, descriptor in opened:
        for name in (CHECKS, CHECKS_COPY):
            try:
                table = _file(descriptor, name)
            except DamageFound:
                continue
            if blake3(table).digest() == of.checks and len(table) == of.checks_size():
                return np.frombuffer(table, np.uint64).reshape(of.layout.discs, of.layout.length)
    return None


def describes(of: DiscSet, image: ImageFile) -> bool:
    """Whether both copies of both descriptions are readable on a parity disc, and its last sector is an anchor."""
    end = os.lseek(image.descriptor, 0, os.SEEK_END)
    if udf.tag_of(image.read(end - SECTOR - image.offset, SECTOR)) != udf.TAG_ANCHOR:
        return False
    try:
        texts = [parse(_file(image.descriptor, name)) for name in (SET, SET_COPY)]
        tables = [blake3(_file(image.descriptor, name)).digest() for name in (CHECKS, CHECKS_COPY)]
    except DamageFound:
        return False
    return texts == [of, of] and tables == [of.checks, of.checks]


def _file(descriptor: int, name: str) -> bytes:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    tree = UdfTree(lambda offset, length: os.pread(descriptor, length, offset), size)
    file = tree.find(f"{FOLDER}/{name}")
    if file is None:
        raise BadDisc("it is no parity disc")
    try:
        return b"".join(tree.chunks(file))
    except OSError as error:
        raise BadDisc(f"{name} cannot be read: {error.strerror}") from error


def _label(path: Path, descriptor: int) -> str:
    """By its own word; by its file's name when the beginning of the image is damaged."""
    try:
        size = os.lseek(descriptor, 0, os.SEEK_END)
        return ImageDisc(str(path), lambda offset, length: os.pread(descriptor, length, offset), size).identity.label
    except (DamageFound, OSError):
        return path.stem
