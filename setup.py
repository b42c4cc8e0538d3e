"""The part of the build that pyproject.toml cannot say in a lasting way: reading in C, where there is a compiler.

Nothing needs it: odarchive/reading/native.py.
"""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "odarchive.reading._native",
            ["odarchive/reading/_native.c"],
            extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra"],
            optional=True,
        )
    ]
)
