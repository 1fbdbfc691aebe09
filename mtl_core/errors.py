"""The errors a user can mend: one line, naming the thing, what was expected and what to do."""

from __future__ import annotations


class UserError(Exception):
    """Bad input or a missing prerequisite; the command line prints it in one line and exits with 2."""
