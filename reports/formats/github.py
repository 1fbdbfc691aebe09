"""GitHub's workflow commands: what stands beside a line of a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from reports.model.page import Annotation, Page, Severity
from reports.model.screen import Screen

MOST = 10  # of a severity that GitHub shows of one step; it drops further ones without a word


def text(page: Page, _screen: Screen) -> str:
    """A command a line, one for each annotation; the verdict where a page has none."""
    verdict = Annotation("notice", page.verdict or page.title, page.kind)
    return "".join(f"{command}\n" for command in commands(page.annotations or (verdict,)))


def commands(annotations: Sequence[Annotation]) -> list[str]:
    """One command each; where GitHub would drop some of a severity, the last that it shows tells how many."""
    totals = Counter(one.severity for one in annotations)
    lines: list[str] = []
    seen = Counter[Severity]()
    for one in annotations:
        seen[one.severity] += 1
        rest = totals[one.severity] - MOST + 1
        if rest <= 1 or seen[one.severity] < MOST:
            lines.append(_command(one))
        elif seen[one.severity] == MOST:
            more = replace(one, words=f"{rest} more in the summary", title=f"{rest} more")
            lines.append(_command(more))
    return lines


def _command(one: Annotation) -> str:
    """``::error file=F,line=3,title=T::words``, whatever the words and names hold."""
    where = {"file": one.file, "line": "" if one.line is None else str(one.line), "title": one.title}
    properties = ",".join(f"{name}={_property(value)}" for name, value in where.items() if value)
    return f"::{one.severity} {properties}::{_data(one.words)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
