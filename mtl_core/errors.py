"""The errors a user can mend: one line, naming the thing, what was expected and what to do."""

from __future__ import annotations


def visible(text: str) -> str:
    """Text in one line, whatever is not visible as its escape: a name in it must not act on a terminal."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)


class UserError(Exception):
    """Bad input or a missing prerequisite; the command line prints it in one line and exits with 2."""
