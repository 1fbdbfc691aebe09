"""Small files in which Linux tells of itself, read below a root that a test may make up."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path("/")


def text(path: Path) -> str | None:
    """A small file's content; None where there is none or it may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def cgroups(root: Path) -> list[Path]:
    """The folders of this process's cgroup (version 2) and of all above it, its own first."""
    version_2 = re.search(r"^0::/(.*)$", text(root / "proc/self/cgroup") or "", re.MULTILINE)
    top = root / "sys/fs/cgroup"
    own = top / version_2[1] if version_2 else top
    return [own, *(parent for parent in own.parents if parent == top or top in parent.parents)]
