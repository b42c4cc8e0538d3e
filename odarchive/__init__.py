"""odarchive: drives into optical discs, and discs back into one mounted read-only drive."""

__version__ = "0.1.0"
