"""The command line: one module per command group, each imported when its command runs.

Not for rules: commands parse words, call one function of the program, and print. Rules kept: data goes to stdout
(people's text or, with ``--json``, exactly one document), everything else to stderr; nothing heavy is imported before a
command needs it, so that ``--help`` and completion are quick.
"""

from odarchive.cli.root import main

__all__ = ["main"]
