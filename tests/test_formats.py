"""The one way from a page to text: every page in every format, a format in a line, text harmless."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.commands.formats import format_named, format_of
from mtl_core.errors import UserError
from reports import formats
from reports.formats import FORMATS, Format, text
from reports.model.page import Page
from reports.model.screen import Screen
from reports.pages.run import run_page
from tests.reported import fewer
from tests.test_other_pages import other_pages

PAGES = Path(__file__).parent.parent / "reports" / "pages"
EVIL = "\x1b[2J\u202e"


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    return {"run": run_page(fewer()), **other_pages()}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_every_page_is_written_in_every_format(pages: dict[str, Page], form: Format) -> None:
    for kind, page in pages.items():
        written = text(page, form)
        assert written.endswith(("\n", "</html>")), kind
        if form.name == "json":
            assert isinstance(json.loads(written), dict)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_no_format_lets_a_text_act(form: Format) -> None:
    page = Page(title=EVIL, kind=EVIL, verdict=EVIL, warnings=(EVIL,), facts=((EVIL, EVIL),))
    written = text(page, form)
    assert "\x1b" not in written and "\u202e" not in written


def test_a_new_format_is_a_module_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = ModuleType("toy")

    def toy_text(page: Page, screen: Screen) -> str:
        return f"{page.kind} in {screen.width} columns"

    vars(toy)["text"] = toy_text
    monkeypatch.setitem(sys.modules, "toy", toy)
    monkeypatch.setattr(formats, "FORMATS", (*FORMATS, Format("toy", "toy", (".toy",))))
    form = format_named("toy")
    assert format_of(Path("page.toy"), "-o") == form
    assert text(Page(title="t", kind="Toys", verdict=""), form) == "Toys in 100 columns"


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match="--format is 'pdf'; expected one of terminal, html"):
        format_named("pdf")
    assert format_named("table") == format_named("terminal")


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.py")), ids=lambda path: path.stem)
def test_no_page_makes_text_harmless_or_knows_a_format(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "harmless(" not in source and "reports.model.text" not in source
    assert "reports.formats" not in source
