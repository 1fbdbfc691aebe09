"""How the source that was measured differs from the revision that is named of it."""

from __future__ import annotations

from typing import Literal

import msgspec

MOST_DIFF = 1 << 20  # bytes of a difference that are kept


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What ``git checkout`` of the revision alone does not bring back."""

    revision: str
    of: Literal["suite", "network"] = "suite"  # whose repository it is
    changed: bool = False  # files that git tracks
    untracked: list[str] = []  # source files that it does not, by their paths; the first of them
    more: int = 0  # untracked ones beside these
    diff: str | None = None  # what git diff HEAD says, where that was asked for
    encoding: Literal["utf-8", "latin-1"] = "utf-8"  # that makes the difference's own bytes of it
    whole: bool = True  # False: only the first MOST_DIFF bytes of it are here
