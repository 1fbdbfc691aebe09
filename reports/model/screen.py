"""Where a page is shown: how wide it is, what it can show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Screen:
    """A terminal, or a file that is read as one; only the terminal's format asks for it."""

    width: int = 100  # columns
    encoding: str = "utf-8"
    colours: str | None = None  # Rich's name of a system of colours; none in a file


FILE = Screen()
