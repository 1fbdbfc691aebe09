"""One HTML file that can be mailed and opened offline: nothing in it is fetched, nothing foreign runs.

Text is escaped by Jinja2; besides, the page's own policy lets only the scripts run whose digests it
names, and lets no request leave. The plotting library and the data are packed with gzip, so that a page is
about 2 MB in place of 5; the browser unpacks them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

import jinja2

from bench.records.run import VERDICTS
from reports.formats.html.plot_parts import Figure
from reports.formats.html.plots import figures
from reports.model.charts import Chart
from reports.model.document import document
from reports.model.download import Download, fits, packed, size_in_words
from reports.model.page import Answered, Page, Section, tables_below
from reports.model.screen import Screen
from reports.model.tables import Laid, laid_out

LARGEST_PAGE = 6_000_000  # bytes, so that it can be mailed
ROOM_FOR_WARNINGS = 10_000
SENTENCES = 2  # of an answer that its card has room for; the others stand in its section
SHORT = 8  # rows of a table that is not divided between two sheets of paper
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


def text(model: Page, _screen: Screen) -> str:
    """The whole page."""
    model = replace(model, download=model.download or _record(model))
    if any(section.flame_graph for section in model.sections):
        model = _with_what_fits(model)
    return _rendered(model)


def _record(model: Page) -> Download | None:
    """The page's record as JSON, to download; None where it is too much for a page."""
    if model.record is None:
        return None
    content = document(model).encode()
    said = f"{model.record.said} ({size_in_words(content)})."
    return Download(f"{model.record.name}.json", content, said) if fits(content) else None


def _with_what_fits(model: Page) -> Page:
    """The page with the flame graphs that it has room for, first ones first; a warning for each other."""
    bare = replace(model, sections=tuple(replace(section, flame_graph="") for section in model.sections))
    room = LARGEST_PAGE - len(_rendered(bare).encode()) - ROOM_FOR_WARNINGS
    sections = []
    for section in model.sections:
        needed = len(_as_address(section.flame_graph))
        if section.flame_graph and needed > room:
            section = _without_flames(section)
            needed = 0
        room -= needed
        sections.append(section)
    return replace(model, sections=tuple(sections))


def _without_flames(section: Section) -> Section:
    size = len(section.flame_graph.encode()) / 1e6
    said = (
        f"The flame graph ({size:.1f} MB) is left out, since the page would outgrow "
        f"{LARGEST_PAGE / 1e6:.0f} MB: open its own file in the profile's folder."
    )
    return replace(section, flame_graph="", warnings=(*section.warnings, said))


def _rendered(model: Page) -> str:
    numbered: dict[str, Figure] = {}
    # Numbered in the order of the page, in which plots are drawn.
    advised = _advice(model, numbered)
    headline = _plot(model.headline, numbered) if model.headline else None
    below = [replace(section, tables=tables_below(model, section)) for section in model.sections]
    sentences = {answered.section: _told_below(answered) for answered in reversed(model.answers)}
    sections = [
        _section(number, section, sentences.get(section.title, ()), numbered)
        for number, section in enumerate(below)
    ]
    anchors = {section["title"]: section["anchor"] for section in reversed(sections)}
    library, script = _library(), _web("page.js")
    return (
        _template()
        .render(
            page=model,
            sections=sections,
            anchors=anchors,
            advised=advised,
            headline=headline,
            cards=[_card(answered, anchors) for answered in model.answers if answered.measured],
            unanswered=[answered for answered in model.answers if not answered.measured],
            short=SHORT,
            decided=laid_out(model.decided) if model.decided else None,
            verdicts=SIGNS,
            policy=_policy(library, script, *_scripts_of(model)),
            style=_web("page.css"),
            script=script,
            plots=_in_script(numbered),
            library=_packed_library(),
            download=packed(model.download.content) if model.download else "",
        )
        .lstrip()
    )


def _advice(model: Page, numbered: dict[str, Figure]) -> dict[str, Any] | None:
    advice = model.recommendation
    if advice is None:
        return None
    plot = _plot(advice.chart, numbered) if advice.chart else None
    return {"title": advice.title, "sentences": advice.sentences, "commands": advice.commands, "plot": plot}


def _card(answered: Answered, anchors: Mapping[str, str]) -> dict[str, Any]:
    """A question and as much of its answer as a card holds: all of it where no section has the rest."""
    anchor = anchors.get(answered.section)
    most = None if anchor is None or answered.apart else SENTENCES
    return {"asks": answered.asks, "sentences": answered.sentences[:most], "anchor": anchor}


def _told_below(answered: Answered) -> tuple[str, ...]:
    """What an answer's card has no room for."""
    return answered.sentences[SENTENCES:] if answered.measured and not answered.apart else ()


def _section(
    number: int, section: Section, answers: tuple[str, ...], numbered: dict[str, Figure]
) -> dict[str, Any]:
    """What the template needs of a section, the rest of its answer first; figures go into ``numbered``."""

    def plots(charts: tuple[Chart, ...]) -> list[Plot]:
        return [_plot(chart, numbered) for chart in charts]

    return {
        "anchor": f"section-{number + 1}",
        "title": section.title,
        "sentences": (*answers, *section.sentences),
        "warnings": section.warnings,
        "flame_graph": _as_address(section.flame_graph),
        "flame_height": _height(section.flame_graph),
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
    inert = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return inert.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache
def _library() -> str:
    """The plotting library's script, from its wheel."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


@lru_cache
def _packed_library() -> str:
    return packed(_library().encode())


def _web(name: str) -> str:
    return (files("reports.formats.html") / "web" / name).read_text(encoding="utf-8").strip()


@lru_cache
def _template() -> jinja2.Template:
    loader = jinja2.FunctionLoader(_web)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html")


# How py-spy's SVG holds its script, and calls it.
SVG_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
CDATA = re.compile(r"<!\[CDATA\[|\]\]>")
SVG_HEIGHT = re.compile(r'<svg[^>]*\sheight="([0-9]{1,6})')
LEAST_HEIGHT, MIDDLE_HEIGHT, MOST_HEIGHT, FRAME_EDGES = 60, 620, 4000, 20  # pixels; edges: a scroll bar too
SVG_START = re.compile(r'<svg[^>]*\sonload="([^"]*)"')


def _scripts_of(model: Page) -> list[str]:
    """The scripts of the flame graphs, whose digests the policy has to name for them to run."""
    drawn = [section.flame_graph for section in model.sections]
    scripts = [script for svg in drawn for part in (SVG_SCRIPT, SVG_START) for script in part.findall(svg)]
    return [CDATA.sub("", script) for script in scripts]


def _as_address(svg: str) -> str:
    """The SVG as an address that asks nothing of the network; empty without one."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode('ascii')}" if svg else ""


def _height(svg: str) -> int:
    """Pixels that the frame of an SVG needs: what the SVG says of itself, within reason."""
    said = SVG_HEIGHT.search(svg)
    return min(max(int(said[1]) if said else MIDDLE_HEIGHT, LEAST_HEIGHT), MOST_HEIGHT) + FRAME_EDGES


def _policy(*scripts: str) -> str:
    """Nothing is fetched; of scripts, those that an SVG starts itself with included, only these run."""
    digests = " ".join(_digest(script) for script in scripts)
    return (
        f"default-src 'none'; script-src 'unsafe-hashes' {digests}; style-src 'unsafe-inline'; "
        "img-src data: blob:; frame-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"
