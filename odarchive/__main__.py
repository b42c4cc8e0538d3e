"""``python -m odarchive``: the same as the console script, for processes that start others of this program."""

import sys

from odarchive.cli import main

sys.exit(main())
