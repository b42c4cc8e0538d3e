"""Burning programs: each module runs one and fulfils ``robot.ports.Burner``. Knows no changer and no archive."""
