"""Hostile discs found by a coverage-guided fuzzer: `make fuzz`. Not part of `make test`."""
