"""What is wrong with a disc that was read without a librarian."""

from odarchive.errors import DamageFound


class BadDisc(DamageFound):
    """The disc or image is not of an archive, or what it says of itself is broken; the message says which and where."""


class Foreign(BadDisc):
    """It is something else altogether: not a disc of any archive."""
