"""Error correction on a disc itself: its room (``room``), and the program that makes it (``dvdisaster``)."""
