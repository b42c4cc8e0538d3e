"""Optical drives: the real Linux drive, and a drive whose discs are files.

A module here knows one kind of drive and fulfils ``robot.ports.Drive``; it knows no changer and no burning program.
"""
