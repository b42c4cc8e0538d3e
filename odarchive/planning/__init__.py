"""Making plans: what the catalogue knows and no disc has, put onto segments.

How things are spread is ``odarchive.plan``, what they cost at most ``image.costs``. ``tree`` turns names of the
catalogue into columns of numbers, ``exact`` takes the size of each disc that comes out from the layout its image will
have, ``making`` does it all in one transaction; ``wish`` says what may be asked for.
"""

from odarchive.planning.making import LATER, PlannedSegment, PlanResult, make_plan
from odarchive.planning.wish import Reserve, Wish

__all__ = ["LATER", "PlanResult", "PlannedSegment", "Reserve", "Wish", "make_plan"]
