"""Where the fixed parts of an image lie, in 2,048-byte sectors, and the description of a volume.

Not for anything that depends on the tree (see `layout`). The anchor at 256 and the volume recognition sequence at 16
are demanded by ECMA-167 and UDF 1.02; the rest is our choice: the two volume descriptor sequences and the integrity
sequence lie in different 32-sector ECC blocks of a Blu-ray disc, so that one unreadable block never takes both copies.
"""

from dataclasses import dataclass, replace

from odarchive.image.bridge.errors import LayoutError

SECTOR = 2048
BLOCK_SECTORS = 32  # a BD ECC block; every image is a multiple of it
RECOGNITION = 16  # ISO descriptors, then UDF's BEA01, NSR02, TEA01
MAIN_SEQUENCE, SEQUENCE_SECTORS = 32, 16
INTEGRITY, INTEGRITY_SECTORS = 64, 2
RESERVE_SEQUENCE = 96
ANCHOR = 256
PARTITION = 257  # UDF block 0: the file set descriptor
FILE_SET_BLOCKS = 2
# Readers look for the last anchor at the last sector and at 150, 152 and 256 before it, alone and added (Linux fs/udf):
# with this many anchors at the end they still find one when a burner added 1..256 sectors of padding.
TAIL_ANCHORS = 150
MAX_LABEL, MAX_SET_ID, MAX_ISO_SET_ID = 32, 126, 128


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one disc from all others; `stamp` can change it in a finished image.

    Attributes:
        label: Volume label, 1..32 printable ASCII characters.
        volume_set_id: UDF volume set identifier, up to 126 Latin-1 characters; libblkid makes its UUID from the first
            16.
        iso_volume_set_id: ISO 9660 volume set identifier, up to 128 printable ASCII characters.
        created_ns: Recording time in ns since the epoch; libblkid makes the ISO 9660 UUID from it, to 1/100 s.
    """

    label: str
    volume_set_id: str
    iso_volume_set_id: str
    created_ns: int

    def check(self) -> None:
        """Refuse what the descriptors cannot hold.

        Raises:
            LayoutError: A field is too long, empty or has characters outside its set.
        """
        for what, text, limit in (
            ("label", self.label, MAX_LABEL),
            ("ISO volume set id", self.iso_volume_set_id, MAX_ISO_SET_ID),
        ):
            if not (1 <= len(text) <= limit and text.isascii() and text.isprintable()):
                raise LayoutError(f"{what} {text!r}: 1..{limit} printable ASCII characters are needed")
        latin = self.volume_set_id.encode("latin-1", "replace").decode("latin-1") == self.volume_set_id
        if not (16 <= len(self.volume_set_id) <= MAX_SET_ID and latin):
            raise LayoutError(f"volume set id {self.volume_set_id!r}: 16..{MAX_SET_ID} Latin-1 characters are needed")

    def relabelled(self, label: str) -> "Identity":
        """The same with another label."""
        return replace(self, label=label)


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """A volume to lay out.

    Attributes:
        identity: Label, set ids and time.
        application: ISO 9660 application identifier, up to 128 printable ASCII characters.
        udf_symlinks: Also put symlinks into UDF. 7-Zip then refuses the whole UDF volume.
        windows_names: In UDF also map names that Windows cannot open.
    """

    identity: Identity
    application: str = "ODARCHIVE"
    udf_symlinks: bool = False
    windows_names: bool = False
