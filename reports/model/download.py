"""Data to download with a page: packed, and only as much as a page that can be mailed has room for."""

from __future__ import annotations

import base64
import gzip
from dataclasses import dataclass

# Bytes of the data, then of their packed form: with the plotting library a page stays below 6 MB.
LARGEST, LARGEST_PACKED = 12_000_000, 3_000_000


@dataclass(frozen=True)
class Download:
    """A file that a page offers, whole or reduced, with a word on what is in it."""

    name: str
    content: bytes
    said: str


def packed(content: bytes) -> str:
    """gzip in base64; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode("ascii")


def fits(content: bytes) -> bool:
    """Whether a page has room for it."""
    return len(content) <= LARGEST and len(packed(content)) <= LARGEST_PACKED


def size_in_words(content: bytes) -> str:
    """``1.2 MB`` or ``34 kB``."""
    return f"{len(content) / 1e6:.1f} MB" if len(content) >= 1e5 else f"{len(content) / 1e3:.0f} kB"
