"""An archive's catalogue from nothing but its discs (or their images)."""
