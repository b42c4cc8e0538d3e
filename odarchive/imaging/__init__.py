"""From a planned segment to its image: what belongs on the disc, where its bytes come from, how it is written."""

from odarchive.imaging.build import BuiltImage, build_image
from odarchive.imaging.making import LeftOut, planned_size
from odarchive.imaging.stream import StreamedImage, image_size, stream_image

__all__ = ["BuiltImage", "LeftOut", "StreamedImage", "build_image", "image_size", "planned_size", "stream_image"]
