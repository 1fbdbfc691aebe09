"""Where what is made once is kept for later runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache(name: str) -> Path:
    """The folder of this name in the user's cache; it need not be there yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mtl-bench" / name
