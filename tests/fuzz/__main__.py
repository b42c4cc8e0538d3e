"""`make fuzz`, or ``python -m tests.fuzz -max_total_time=600``: everything that reads discs of others, by atheris.

The first byte of an input chooses a reader, the rest is what it gets: changes to a good image, or a text. Whatever
comes must end in a refusal that has a name, within ten seconds and a gigabyte; all else is a find, kept as a file
``crash-...`` that the same program replays. Options are libFuzzer's.
"""

import contextlib
import gzip
import json
import struct
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["odarchive"]):
    from odarchive.errors import OdarchiveError
    from odarchive.image import identity, ondisc, restore_script, unseal_script
    from odarchive.image.bridge_writer import BridgeWriter
    from odarchive.image.identity import NO_DISC, DiscIdentity
    from odarchive.image.spec import Attributes, Directory, File, ImageTree, Inode, VolumeInfo
    from odarchive.offline import texts
    from odarchive.offline.disc import ImageDisc, catalogue_of
    from odarchive.offline.sealed import Plain
    from odarchive.parity import discset
    from odarchive.seal.stream import Opener, Sealer

SECRET = bytes(range(32))
ARCHIVE = "00000000-0000-4000-8000-000000000001"
OWN = Attributes(0o444, 0, 0, 0)
CATALOGUE = {
    "version": 3, "digest": "blake3", "guid": ARCHIVE, "job_id": 1, "job_name": "D", "segment_size": 10**7,
    "date": "2020-01-01T00:00:00",
    "files": {"1" * 64: {"size": 90, "mtime": "", "sector": 300, "sha256": "0" * 64, "filenames": {"/a": None}}},
}  # fmt: skip


def good_image() -> bytes:
    """A small disc."""
    files = {
        (ondisc.DISC_INFO,): ondisc.disc_info(label="D", segment=1, archive=ARCHIVE, disc=NO_DISC, created_ns=0),
        (ondisc.CATALOGUE,): json.dumps(CATALOGUE).encode(),
        (ondisc.SET, ondisc.ENTRIES): b'{"format": "odarchive entries", "version": 1}\n',
        (ondisc.SET, ondisc.SET_CATALOGUE): gzip.compress(b'{"format": "odarchive catalogue", "version": 1}\n'),
        (ondisc.SUMS,): b"0" * 64 + b"  catalogue.json\n",
        ("a",): bytes(90),
    }
    tree = ImageTree(
        VolumeInfo(DiscIdentity(ARCHIVE, NO_DISC, "D"), 0),
        (Directory((ondisc.SET,), OWN),),
        tuple(File((Inode((path,), OWN),), len(data)) for path, data in files.items()),
        lambda number: (list(files.values())[number],),
    )
    with tempfile.TemporaryFile() as file:
        BridgeWriter().prepare(tree).write(file.fileno())
        file.seek(0)
        return file.read()


GOOD = good_image()
HEAD = b"".join(Sealer(SECRET, [bytes(range(9, 41))]).pieces(b"", [b"x"], 1))


def changed(data: bytes) -> bytes:
    """The good image with changes: sector, offset, length, bytes; a sector beyond the end cuts it there."""
    image, at = bytearray(GOOD), 0
    while at + 5 <= len(data):
        sector, offset, length = struct.unpack_from("<HHB", data, at)
        at += 5
        place = sector % 400 * 2048 + offset % 2048
        if place >= len(image):
            return bytes(image[: place % len(image)])
        new = data[at : at + length]
        image[place : place + len(new)] = new
        at += length
    return bytes(image)


def image(data: bytes) -> None:
    """All that a rebuild reads."""
    whole = changed(data)
    disc = Plain(ImageDisc("x", lambda offset, size: whole[offset : offset + size], len(whole)), Opener([SECRET]))
    for piece in disc.catalogue().contents:
        for _ in disc.content(piece):
            pass
    for _ in texts.lines(texts.inflated(disc.text(f"{ondisc.SET}/{ondisc.SET_CATALOGUE}")), "odarchive catalogue"):
        pass


def by_script(data: bytes) -> None:
    """What restore.py reads of an image."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(changed(data))
        file.flush()
        disc = restore_script.Image(file.name.encode())
        try:
            sums = restore_script.read_sums(disc)
            restore_script.own_text(disc, "catalogue.json", sums).close()
        finally:
            disc.close()


def age_file(data: bytes) -> None:
    """An age file whose beginning is right, or not."""
    file = HEAD[: data[0]] + data[1:] if data else data
    for _ in Opener([SECRET]).opened([file]):
        pass


def unseal(data: bytes) -> None:
    """The same by the script of the disc."""
    file = HEAD[: data[0]] + data[1:] if data else data
    for _ in unseal_script.unsealed([file], [SECRET]):
        pass


def labels(data: bytes) -> None:
    """Who a disc is, from its sectors alone."""
    whole = changed(data)
    identity.parse_identity(whole[16 * 2048 : 17 * 2048])
    ImageDisc("x", lambda offset, size: whole[offset : offset + size], len(whole))


READERS = (
    image,
    by_script,
    labels,
    age_file,
    unseal,
    texts.catalogue,
    texts.disc_info,
    texts.age,
    lambda data: list(texts.inflated([data])),
    lambda data: list(texts.lines([data], "odarchive entries")),
    lambda data: catalogue_of(ImageDisc("x", lambda offset, size: data[offset : offset + size], len(data))),
    discset.parse,
)
REFUSALS = (OdarchiveError, unseal_script.Unopened, *restore_script.FAILURES)
"""The scripts' own refusals are wider: they stand alone and tell each file's failure."""


def one_input(data: bytes) -> None:
    """What the fuzzer calls."""
    if not data:
        return
    reader = READERS[data[0] % len(READERS)]
    refusals = REFUSALS if reader in (by_script, unseal) else (OdarchiveError,)
    with contextlib.suppress(refusals):
        reader(data[1:])


if __name__ == "__main__":
    corpus = Path(tempfile.mkdtemp(prefix="odarchive-fuzz-"))
    for number in range(len(READERS)):
        (corpus / f"{number}").write_bytes(bytes([number]) + json.dumps(CATALOGUE).encode())
    (corpus / "head").write_bytes(bytes([3, 184]) + HEAD[184:])
    limits = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=8192"]
    atheris.Setup([sys.argv[0], *limits, *sys.argv[1:], str(corpus)], one_input)
    atheris.Fuzz()
