"""Writes bridge images: UDF 1.02, ISO 9660 level 3 and Rock Ridge over the same data, in one forward pass.

For making the image of a disc from a tree whose files are opened by the caller. Not for reading images (but for their
`Identity`), not for burning, and without any knowledge of catalogues.

Use: fill a `Tree`, `layout` it (all sector numbers, no byte read), `emit` it to a file or pipe. Rules kept: no clock
and no randomness inside; the same tree, volume and data give the same bytes; a source that is not as promised is an
error. Layers, each importing only those before it: errors, tree, stamps, names, sectors; udf_volume, iso_volume,
udf_nodes, rock_ridge; shape, stored, isodir, udfdir; layout; worker, sink, data, emit; identity.
"""

from odarchive.image.bridge.data import LateContent, Opener, Options, Written
from odarchive.image.bridge.emit import emit
from odarchive.image.bridge.errors import BridgeError, EmitError, LayoutError, ParseError, SourceError
from odarchive.image.bridge.identity import Found, read_identity, stamp
from odarchive.image.bridge.layout import Extent, Layout, layout
from odarchive.image.bridge.names import Reason, View
from odarchive.image.bridge.sectors import SECTOR, Identity, VolumeInfo
from odarchive.image.bridge.stored import NameChange
from odarchive.image.bridge.tree import ROOT, Content, EntryId, Meta, NodeId, Tree

__all__ = [
    "ROOT",
    "SECTOR",
    "BridgeError",
    "Content",
    "EmitError",
    "EntryId",
    "Extent",
    "Found",
    "Identity",
    "LateContent",
    "Layout",
    "LayoutError",
    "Meta",
    "NameChange",
    "NodeId",
    "Opener",
    "Options",
    "ParseError",
    "Reason",
    "SourceError",
    "Tree",
    "View",
    "VolumeInfo",
    "Written",
    "emit",
    "layout",
    "read_identity",
    "stamp",
]
