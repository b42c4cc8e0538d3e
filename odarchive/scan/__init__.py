"""Scanning a source: what it holds now, recorded in the catalogue; see ``scanner.scan``."""

from odarchive.scan.report import Options, Problem, ScanProgress, ScanResult
from odarchive.scan.scanner import scan

__all__ = ["Options", "Problem", "ScanProgress", "ScanResult", "scan"]
