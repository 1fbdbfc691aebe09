"""How wide each column of a table in a terminal is: numbers stay whole, names are cut where they may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

# Where a name may be cut, the better places first: at a slash or space, at any other sign, anywhere.
CUTS = (r"[/ ]", r"[/ \-_+:,.=|]", r".")
LEAST, SHORT = 6, 10  # characters a line of a name that is cut anywhere; what is never cut, as verdicts


def shared(
    needed: Sequence[int], names: Mapping[int, Sequence[str]], heads: Sequence[int], room: int, cuts: str
) -> list[int] | None:
    """The widths of all columns in this room, those of names narrowed, widest first; None: no room.

    ``needed`` is the width of each column with its cells whole, ``names`` the cells of the columns that
    may be cut, ``heads`` the longest word of each heading.
    """
    widths = list(needed)
    least = {place: max(heads[place], *map(len, pieces_of(cells, cuts))) for place, cells in names.items()}
    while sum(widths) > room:
        narrower = [place for place, floor in least.items() if widths[place] > floor]
        if not narrower:
            return None
        widths[max(narrower, key=lambda place: widths[place])] -= 1
    return widths


def pieces_of(cells: Sequence[str], cuts: str) -> list[str]:
    """What is never cut of these names; one empty piece at least."""
    return ["", *(piece for cell in cells for piece in _pieces(cell, cuts))]


def folded(name: str, width: int, cuts: str) -> str:
    """A name in lines of this width, ended at the places to cut that fit best."""
    lines = [""]
    for piece in _pieces(name, cuts):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _pieces(name: str, cuts: str) -> list[str]:
    if cuts == CUTS[-1]:
        ends = list(range(0, len(name), LEAST)) if len(name) > SHORT else [0]
    else:
        ends = [0, *(found.end() for found in re.finditer(cuts, name))]
    return [name[first:last] for first, last in pairwise([*ends, len(name)]) if last > first]
