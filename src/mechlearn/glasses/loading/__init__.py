"""Athermal shear to the first event, on disk as well, and which atoms took part."""
