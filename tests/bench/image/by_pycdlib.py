"""The same image by pycdlib (ISO 9660 and UDF, which hashes nothing), to be measured: ``by_pycdlib.py FOLDER OUT``."""

import os
import sys

from pycdlib import PyCdlib

folder, out = sys.argv[1:]
iso = PyCdlib()
iso.new(interchange_level=3, udf="2.60")
count = 0
for at, folders, names in os.walk(folder):
    folders.sort()
    here = os.path.relpath(at, folder)
    if here != ".":
        iso.add_directory(iso_path=f"/{here.upper()}", udf_path=f"/{here}")
    for name in sorted(names):
        count += 1
        above = "" if here == "." else f"/{here}"
        iso.add_file(os.path.join(at, name), f"{above.upper()}/F{count:07d}.;1", udf_path=f"{above}/{name}")
iso.write(out, blocksize=1 << 20)
iso.close()
