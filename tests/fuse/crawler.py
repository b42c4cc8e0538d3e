"""Reads every file below a folder as indexers do: ``crawler.py NAME DIRECTORY`` calls itself NAME first.

Prints as JSON how many files it could read, and the errno of each that it could not.
"""

import ctypes
import json
import os
import sys

PR_SET_NAME = 15  # prctl(2)

ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NAME, sys.argv[1].encode(), 0, 0, 0)
read, refused = 0, []
for folder, _, names in os.walk(os.fsencode(sys.argv[2])):
    for name in names:
        try:
            descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
            os.read(descriptor, 4096)  # not a Python file: its read() answers None where the system says EAGAIN
            read += 1
        except OSError as error:
            refused.append(error.errno)
        finally:
            os.close(descriptor)
print(json.dumps([read, refused]))
