"""The package's libraries and regression inside PySINDy."""
