"""GitHub's workflow commands: what stands beside a line of a pull request."""

from __future__ import annotations

from typing import Literal

Level = Literal["error", "warning", "notice"]


def annotation(level: Level, words: str, title: str, file: str, line: int | None = None) -> str:
    """``::error file=F,line=3,title=T::words``, whatever the words and names hold."""
    where = {"file": file, **({} if line is None else {"line": str(line)}), "title": title}
    told = ",".join(f"{name}={_property(value)}" for name, value in where.items())
    return f"::{level} {told}::{_data(words)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
