"""Which bytes go on which disc: folders kept together, discs full. Pure: numbers in, numbers out.

Every byte of every item lands on exactly one disc, no disc is over its capacity with the costs given, and the same
input gives the same plan. Costs are additive upper bounds: an item costs its sectors and its overhead, a folder costs
once on each disc that holds something below it. ``odarchive.image.costs`` knows what they are; here they are numbers.

How: the tree is one sequence of items, and a disc holds *runs* of it, so that what a run costs and where a disc is
full are found in a table of running sums (``stream``); nothing is done for each file twice. Folders a person would
restore as one (*units*: the children of a source) that are larger than a disc fill discs of their own (``filling``);
their rests and all smaller units are put, largest first, where they fit best, and discs that could be saved are poured
into the gaps of others (``packing``). Plain tree order is tried too; fewer discs, then fewer units torn apart, win.
"""

from odarchive.plan.columns import Columns, Part, Shape
from odarchive.plan.packing import DiscPlan, plan, unit_loads
from odarchive.plan.stream import Run, Stream

__all__ = ["Columns", "DiscPlan", "Part", "Run", "Shape", "Stream", "plan", "unit_loads"]
