"""The browser for the report's tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser import browser

__all__ = ["browser"]
