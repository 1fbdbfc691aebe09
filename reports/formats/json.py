"""A page as JSON: its record, in ASCII, so that nothing in it acts on a terminal."""

from __future__ import annotations

from reports.model.document import document
from reports.model.page import Page
from reports.model.screen import Screen


def text(page: Page, _screen: Screen) -> str:
    """The whole document."""
    return document(page) + "\n"
