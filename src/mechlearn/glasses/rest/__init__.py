"""Bringing atoms to rest, in the cell that they have or at a pressure."""
