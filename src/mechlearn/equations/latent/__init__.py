"""Coordinates in which many features obey a short law."""
