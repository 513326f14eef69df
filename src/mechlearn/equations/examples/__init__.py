"""Data whose equations are known, made on the spot."""
