"""From a planned segment to its image: what belongs on the disc, where its bytes come from, how it is written."""

from odarchive.imaging.build import BuiltImage, LeftOut, build_image

__all__ = ["BuiltImage", "LeftOut", "build_image"]
