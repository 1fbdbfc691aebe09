"""GitHub's workflow commands: what stands beside a line of a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

Level = Literal["error", "warning", "notice"]
MOST = 10  # of a level that GitHub shows of one step; it drops further ones without a word


class Annotation(NamedTuple):
    """What is said of a line, or of a whole file."""

    level: Level
    words: str
    title: str
    file: str
    line: int | None = None


def commands(annotations: Sequence[Annotation]) -> list[str]:
    """One command each; where GitHub would drop some of a level, the last that it shows tells how many."""
    totals = Counter(one.level for one in annotations)
    told, seen = [], Counter[Level]()
    for one in annotations:
        seen[one.level] += 1
        rest = totals[one.level] - MOST + 1
        if rest <= 1 or seen[one.level] < MOST:
            told.append(command(one))
        elif seen[one.level] == MOST:
            told.append(command(one._replace(words=f"{rest} more in the summary", title=f"{rest} more")))
    return told


def command(one: Annotation) -> str:
    """``::error file=F,line=3,title=T::words``, whatever the words and names hold."""
    line = {} if one.line is None else {"line": str(one.line)}
    where = {"file": one.file, **line, "title": one.title}
    told = ",".join(f"{name}={_property(value)}" for name, value in where.items())
    return f"::{one.level} {told}::{_data(one.words)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
