"""Warnings that many parts of a run may have: their words, and one line for all of them."""

from __future__ import annotations

from collections.abc import Iterable

FEW_SET_UPS = "few set-ups ({}); a larger --budget narrows the intervals"
UNSTEADY = "never became steady in some set-up: {}; repeat on a quieter machine or with a larger --budget"
NAMED = 2  # parts that one line for all names


def together(warnings: Iterable[str]) -> list[str]:
    """The warnings in their order, each once, and those that only name other parts as one."""
    lines = list(dict.fromkeys(warnings))
    for form in (FEW_SET_UPS, UNSTEADY):
        before, after = form.split("{}")
        alike = [line for line in lines if line.startswith(before) and line.endswith(after)]
        if len(alike) < 2:
            continue
        parts = [part for line in alike for part in line[len(before) : -len(after)].split(", ")]
        more = len(parts) - NAMED
        inside = ", ".join(parts[:NAMED]) + (f" and {more} more" if more > 0 else "")
        lines[lines.index(alike[0])] = form.format(inside)
        lines = [line for line in lines if line not in alike]
    return lines
