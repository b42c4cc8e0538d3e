"""Parity discs over a set: Reed-Solomon across discs in rotated stripes (FORMAT.md says how to undo it by hand)."""
