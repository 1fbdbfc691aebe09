"""One HTML file that can be mailed and opened offline: nothing in it is fetched, nothing foreign runs.

Text is escaped by Jinja2; besides, the page's own policy lets only the scripts run whose digests it
names, and lets no request leave. The plotting library and the data are packed with gzip, so that a page is
about 2 MB in place of 5; the browser unpacks them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jinja2

from bench.records import VERDICTS
from reports.charts import Chart
from reports.page import Page, Section, shown_harmlessly
from reports.plots import Figure, figures
from reports.tables import Laid, laid_out

SIGNS = dict(
    zip(
        VERDICTS,
        ("\N{BLACK LEFT-POINTING POINTER}", "\N{BLACK RIGHT-POINTING POINTER}", "=", "?"),
        strict=True,
    )
)


@dataclass(frozen=True)
class Drawn:
    """One plot of a chart: where its figure goes."""

    anchor: str
    title: str  # empty when it is the chart's
    height: int


@dataclass(frozen=True)
class Plot:
    """A chart in the page: its plots, and the same as text and as a table."""

    title: str
    said: str
    drawn: tuple[Drawn, ...]
    table: Laid


def page(model: Page) -> str:
    """The whole page."""
    model = shown_harmlessly(model)
    numbered: dict[str, Figure] = {}
    sections = [_section(number, section, numbered) for number, section in enumerate(model.sections)]
    library, script = _library(), _web("page.js")
    return (
        _template()
        .render(
            page=model,
            sections=sections,
            anchors={section["title"]: section["anchor"] for section in reversed(sections)},
            decided=laid_out(model.decided) if model.decided else None,
            verdicts=SIGNS,
            policy=_policy(library, script),
            style=_web("page.css"),
            script=script,
            plots=_in_script(numbered),
            library=_packed_library(),
            raw=packed(model.raw.content) if model.raw else "",
        )
        .lstrip()
    )


def _section(number: int, section: Section, numbered: dict[str, Figure]) -> dict[str, Any]:
    """What the template needs of a section; its figures go into ``numbered``."""

    def plots(charts: tuple[Chart, ...]) -> list[Plot]:
        return [_plot(chart, numbered) for chart in charts]

    return {
        "anchor": f"section-{number + 1}",
        "title": section.title,
        "sentences": section.sentences,
        "warnings": section.warnings,
        "figure": section.figure,
        "plots": plots(section.charts),
        "tables": [laid_out(table) for table in section.tables],
        "folds": [
            {
                "title": fold.title,
                "sentences": fold.sentences,
                "plots": plots(fold.charts),
                "tables": [laid_out(table) for table in fold.tables],
            }
            for fold in section.folds
        ],
    }


def _plot(chart: Chart, numbered: dict[str, Figure]) -> Plot:
    drawn = []
    for title, figure in figures(chart):
        anchor = f"plot-{len(numbered) + 1}"
        numbered[anchor] = figure
        drawn.append(Drawn(anchor, "" if title == chart.title else title, figure["layout"]["height"]))
    return Plot(chart.title, chart.said, tuple(drawn), laid_out(chart.table()))


def _in_script(value: object) -> str:
    """JSON that cannot end the script element it stands in."""
    told = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed(content: bytes) -> str:
    """gzip in base64; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, compresslevel=6, mtime=0)).decode("ascii")


@lru_cache
def _library() -> str:
    """The plotting library's script, from its wheel."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


@lru_cache
def _packed_library() -> str:
    return packed(_library().encode())


def _web(name: str) -> str:
    return (files("reports") / "web" / name).read_text(encoding="utf-8").strip()


@lru_cache
def _template() -> jinja2.Template:
    loader = jinja2.FunctionLoader(_web)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html")


def _policy(*scripts: str) -> str:
    """Nothing is fetched; of scripts only these run."""
    digests = " ".join(_digest(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    told = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"'sha256-{told}'"
