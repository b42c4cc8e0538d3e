"""Errors of the bridge writer: what failed and what the caller can do about it.

Not for errors of the operating system while writing the image: an ``OSError`` of the output passes through untouched.
"""


class BridgeError(Exception):
    """Base of all errors of this package."""


class LayoutError(BridgeError):
    """The tree or the volume description cannot be laid out (bad name, duplicate, over a limit of the formats)."""


class SourceError(BridgeError):
    """A file's data could not be read as promised; the image in progress is void.

    Attributes:
        path: The file's archive path below the image's root.
        expected: Promised size in bytes.
        got: Bytes delivered; ``expected + 1`` and more mean that the source is longer than promised.
    """

    def __init__(self, path: bytes, expected: int, got: int, why: str) -> None:
        self.path, self.expected, self.got = path, expected, got
        super().__init__(f"{path!r}: {why} ({expected} bytes promised, {got} read); read the source again and rebuild")


class EmitError(BridgeError):
    """Emission left its layout: a defect of this package, never of the input; nothing written may be kept."""


class ParseError(BridgeError):
    """Sectors read back are not what a volume descriptor has to be."""
