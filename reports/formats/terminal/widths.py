"""How wide each column of a table in a terminal is: numbers stay whole, names are cut where they may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

# Where a name may be cut, the better places first: at a slash or space, at any other sign, anywhere.
CUTS = (r"[/ ]", r"[/ \-_+:,.=|]", r".")
LEAST, SHORT = 6, 10  # characters a line of a name that is cut anywhere; what is never cut, as verdicts


def shared(
    needed: Sequence[int], names: Mapping[int, Sequence[str]], heads: Sequence[int], room: int, kinds: int
) -> list[int] | None:
    """The widths of all columns in this room, those of names narrowed; None where there is no room.

    ``needed`` is the width of each column with its cells whole, ``names`` the cells of the columns that
    may be cut, ``heads`` the longest word of each heading, ``kinds`` how many kinds of ``CUTS`` to try.
    """
    widths = list(needed)
    for cuts in CUTS[:kinds]:
        least = {
            place: max(heads[place], *map(len, pieces_of(cells, cuts))) for place, cells in names.items()
        }
        _narrow(widths, least, room, evenly=cuts == CUTS[0])
        if sum(widths) <= room:
            return widths
    return None


def _narrow(widths: list[int], least: dict[int, int], room: int, evenly: bool) -> None:
    """Narrow the widest columns, down to their least; one after another, so that few are cut badly."""
    while (excess := sum(widths) - room) > 0:
        narrower = [place for place, floor in least.items() if widths[place] > floor]
        if not narrower:
            return
        widest = max(narrower, key=lambda place: widths[place])
        widths[widest] = max(least[widest], widths[widest] - (1 if evenly else excess))


def pieces_of(cells: Sequence[str], cuts: str) -> list[str]:
    """What is never cut of these names; one empty piece at least."""
    return ["", *(piece.rstrip() for cell in cells for piece in _pieces(cell, cuts))]


def folded(name: str, width: int) -> str:
    """A name in lines of this width, cut at the best places with which it fits."""
    fitting = (cuts for cuts in CUTS if all(len(piece.rstrip()) <= width for piece in _pieces(name, cuts)))
    lines = [""]
    for piece in _pieces(name, next(fitting, CUTS[-1])):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _pieces(name: str, cuts: str) -> list[str]:
    if cuts == CUTS[-1]:
        ends = list(range(0, len(name), LEAST)) if len(name) > SHORT else [0]
    else:
        ends = [0, *(match.end() for match in re.finditer(cuts, name))]
    return [name[first:last] for first, last in pairwise([*ends, len(name)]) if last > first]
