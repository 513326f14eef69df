"""Equations followed in time."""
