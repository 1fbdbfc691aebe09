"""The page in a real browser: Chromium as the machine has it, driven by Playwright; skipped without one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reports.formats.html import bars as of_bars
from reports.pages.profile import profile_page
from reports.pages.run import run_page
from reports.pages.run_download import download_of
from tests.pixels import Picture, contrast, picture
from tests.reported import HOSTILE, KEPT, as_html, fewer, hostile, kept
from tests.test_other_pages import other_pages
from tests.test_profiles import PROFILE

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed (extra: test)")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = os.environ.get("MTL_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason=f"no browser: none of {', '.join(NAMES)} is installed, MTL_CHROMIUM names none",
    ),
]
READERS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 360, "height": 740},
        "has_touch": True,
        "is_mobile": True,
    },
}
# What could act in a page; the rest is held by the tests of its text.
IN_A_PAGE = ("script", "end_of_script", "link", "long")
PATIENCE_MS = 60_000  # for a busy machine; nothing here waits so long on any other
# The middle of something drawn that has a value, wherever it lies in the plot.
PLACE = """(plot) => {
    const shown = [...plot.querySelectorAll('.points path, .point path, path.point, path.box')]
        .filter((mark) => mark.getBoundingClientRect().width > 0);
    const mark = shown[Math.floor(shown.length / 2)];
    const { x, y, width, height } = mark.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Chromium's own sandbox refuses root.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if root else [], timeout=PATIENCE_MS
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(as_html(run_page(fewer(), download_of(kept(), KEPT.read_bytes()))), encoding="utf-8")
    return path


class Seen:
    """A page opened, what it asked of the network, and what it complained of."""

    def __init__(self, context: Any, file: Path) -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(dialog.message))
        self.url = file.as_uri()
        self.page.goto(self.url)

    def drawn(self) -> list[Any]:
        """Every plot, after the folds were opened and all of it was drawn."""
        self.page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
        # Waiting by a function would need eval, which the page's policy forbids.
        self.page.wait_for_selector("html:not(:has(.plot:not([data-drawn])))", state="attached")
        found: list[Any] = self.page.query_selector_all(".plot")
        return found


@pytest.fixture(scope="module", params=READERS)
def seen(request: pytest.FixtureRequest, browser: Any, file: Path) -> Iterator[Seen]:
    context = browser.new_context(**READERS[request.param])
    yield Seen(context, file)
    context.close()


OTHER_KINDS = ("comparison", "history", "regress", "profile")


@pytest.fixture(scope="module")
def others(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Seen]]:
    """The other kinds of page, one after another in one window."""
    folder = tmp_path_factory.mktemp("others")
    context = browser.new_context(**READERS["phone"])
    found = {}
    for kind, page in other_pages().items():
        path = folder / f"{kind}.html"
        path.write_text(as_html(page), encoding="utf-8")
        found[kind] = Seen(context, path)
    yield found
    context.close()


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_every_plot_of_the_other_pages_is_drawn_with_its_ticks(others: dict[str, Seen], kind: str) -> None:
    opened = others[kind]
    drawn = opened.drawn()
    assert drawn
    for plot in drawn:
        assert plot.query_selector(".trace, .boxes, .bars") is not None, plot.get_attribute("aria-label")
        ticks = [tick.text_content() for tick in plot.query_selector_all(".xtick text")]
        assert len(ticks) >= 2 and all(ticks), plot.get_attribute("aria-label")
    assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert [url for url in opened.asked if not url.startswith(("data:", "blob:"))] == [opened.url]
    assert opened.complaints == []


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_axe_finds_nothing_in_the_other_pages(others: dict[str, Seen], kind: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    others[kind].drawn()
    found = axe.Axe().run(others[kind].page).response["violations"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"]][:3]) for v in found] == []


@pytest.fixture(scope="module")
def in_light(browser: Any, file: Path) -> Iterator[Seen]:
    context = browser.new_context(**READERS["light"], accept_downloads=True)
    yield Seen(context, file)
    context.close()


def test_every_plot_is_drawn_and_nothing_is_fetched_or_complained_of(seen: Seen) -> None:
    drawn = seen.drawn()
    assert len(drawn) == 18
    for plot in drawn:
        assert plot.query_selector(".trace, .boxes, .bars") is not None, plot.get_attribute("aria-label")
    width = "document.documentElement.scrollWidth <= window.innerWidth"
    assert seen.page.evaluate(width), "the page is wider than the window"
    assert [url for url in seen.asked if not url.startswith(("data:", "blob:"))] == [seen.url]
    assert seen.complaints == []


# Paper is white also for a reader whose screen is dark.
LOOKS: dict[str, tuple[str, str]] = {"light": ("light", "screen"), "dark": ("dark", "screen")}
LOOKS["print"] = ("dark", "print")
LEAST_CONTRAST = 3.0  # of what is drawn against what is behind it: WCAG 2, success criterion 1.4.11
LEAST_PIXELS = 20  # of a series' own colour: a mark or two
ALIKE = 1.6  # times, that the area of a value in one series' pattern may differ from that in another's
# The plot's axes, without legend and titles, inside its element.
AXES = """(plot) => [...plot.querySelectorAll('.nsewdrag')].map((axes) => {
    const [inner, outer] = [axes.getBoundingClientRect(), plot.getBoundingClientRect()];
    const [left, top] = [inner.left - outer.left, inner.top - outer.top];
    return [left, top, left + inner.width, top + inner.height];
})"""
COLOUR = """(role) => getComputedStyle(document.documentElement)
    .getPropertyValue(/^[0-9]$/.test(role) ? `--s${role}` : `--${role}`).trim()"""
TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module", params=LOOKS)
def look(request: pytest.FixtureRequest, browser: Any, file: Path) -> Iterator[Seen]:
    opened = looked_at(browser, file, request.param)
    yield opened
    opened.page.context.close()


def looked_at(browser: Any, file: Path, name: str) -> Seen:
    """The page as it looks to a reader, all of it drawn."""
    scheme, medium = LOOKS[name]
    opened = Seen(browser.new_context(**{**READERS["light"], "color_scheme": scheme}), file)
    opened.drawn()
    opened.page.emulate_media(media=medium, color_scheme=scheme)
    opened.page.evaluate(TWO_FRAMES)
    return opened


def pictured(opened: Seen, plot: Any) -> tuple[list[dict[str, Any]], list[Picture]]:
    """The series of a plot, each with its colours filled in, and a picture of each pair of axes."""
    all_of_them = json.loads(opened.page.text_content("#plots"))
    series = all_of_them[plot.get_attribute("id")]["data"]
    for one in series:
        role = (one.get("marker") or one["line"])["color"]
        shown = opened.page.evaluate(COLOUR, role.removeprefix("@"))
        one["rgb"] = tuple(int(shown[place : place + 2], 16) for place in (1, 3, 5))
    whole = picture(plot.screenshot(animations="disabled"))
    return series, [whole.part(*map(round, corners)) for corners in plot.evaluate(AXES)]


def hardly_seen(opened: Seen, plot: Any) -> list[str]:
    """The series of a plot of which too little stands out, with what was seen of each."""
    series, axes = pictured(opened, plot)
    hidden = []
    for one in series:
        shades = {1.0, one.get("marker", {}).get("opacity", 1.0)}
        seen = max(sum(axis.area(one["rgb"], shade) for axis in axes) for shade in shades)
        against = min(contrast(one["rgb"], axis.ground) for axis in axes)
        if seen < LEAST_PIXELS or against < LEAST_CONTRAST:
            hidden.append(f"{one['name']}: {seen} pixels, contrast {against:.1f}")
    return hidden


def areas_of_bars(opened: Seen, plot: Any) -> dict[str, float]:
    """Pixels of each part's own colour for a unit of its values, of parts large enough to be counted."""
    series, (axis,) = pictured(opened, plot)
    whole = sum(sum(one["x"]) for one in series)
    return {
        one["name"]: axis.area(one["rgb"]) / sum(one["x"]) for one in series if sum(one["x"]) > 0.02 * whole
    }


def is_of_bars(plot: Any) -> bool:
    return plot.query_selector(".bars") is not None


def test_every_series_can_be_seen(look: Seen) -> None:
    """Drawing is no proof: marks in the colour of what is behind them are drawn as well."""
    hidden = {plot.get_attribute("aria-label"): hardly_seen(look, plot) for plot in look.drawn()}
    assert {label: series for label, series in hidden.items() if series} == {}


def test_bars_cover_areas_in_proportion_to_their_values(look: Seen) -> None:
    bars = [plot for plot in look.drawn() if is_of_bars(plot)]
    assert len(bars) == 1
    areas = areas_of_bars(look, bars[0])
    assert areas.keys() == {"waiting", "computing", "synchronising"}
    assert 0 < max(areas.values()) < ALIKE * min(areas.values()), areas


@pytest.mark.parametrize("name", LOOKS)
def test_bars_in_the_colour_of_the_page_would_be_found(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fill = {"color": "@1", "pattern": {"shape": "/", "bgcolor": "@paper", "fgcolor": "@paper"}}
    monkeypatch.setattr(
        of_bars, "_filled", lambda n: {"color": f"@{n + 1}"} if n != 1 else {**fill, "color": "@2"}
    )
    path = tmp_path / "report.html"
    run = kept()
    epochs = {group: measured for group, measured in run.measured.items() if group == "loader_workers/epoch"}
    run = msgspec.structs.replace(run, measured=epochs, blocks={}, answers=[])
    path.write_text(as_html(run_page(run)), encoding="utf-8")
    opened = looked_at(browser, path, name)
    (bars,) = filter(is_of_bars, opened.drawn())
    (hidden,) = hardly_seen(opened, bars)
    assert hidden.startswith("computing: 0 pixels")
    assert areas_of_bars(opened, bars)["computing"] == 0
    opened.page.context.close()


MOST_EMPTY = 0.45  # of a sheet of paper, but for the last
# As machines differ in fonts, and people in the size they set: small, wide and large.
FONTS = {"the page's": "", "small": "9pt/1 serif", "wide": "11pt/1 monospace", "large": "13pt/1 sans-serif"}
SET_FONT = """(font) => {
    const style = document.createElement('style');
    const [size, family] = font.split('/1 ');
    style.textContent = font && `@media print {
        html { font-size: ${size} !important; } body { font-family: ${family} !important; }
    }`;
    document.head.append(style);
}"""
# Heights of what is not divided between sheets, of a sheet's; with the heading that stays with it.
KEPT_WHOLE = """(sheet) => {
    const heights = [...document.querySelectorAll('.start, .card, .scroll.short')]
        .map((kept) => {
            const headed = kept.matches('h2 + figure > :first-child');
            const from = headed ? kept.parentElement.previousElementSibling : kept;
            return [kept.innerText.slice(0, 60),
                (kept.getBoundingClientRect().bottom - from.getBoundingClientRect().top) / sheet];
        });
    return heights.filter(([, height]) => height > 0.4);
}"""
A4_AT_96_DPI = {"width": 718, "height": 1047}  # between margins of a centimetre, CSS pixels


def test_on_paper_headings_stay_with_their_plots_and_no_sheet_is_half_empty(
    browser: Any, tmp_path: Path
) -> None:
    """Of a whole run, as it is printed by the browser itself, in whatever fonts a machine has."""
    pdfium = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed (extra: test)")
    file = tmp_path / "report.html"
    page = run_page(kept())
    file.write_text(as_html(page), encoding="utf-8")
    opened = Seen(browser.new_context(**{**READERS["light"], "viewport": A4_AT_96_DPI}), file)
    opened.page.wait_for_selector("html[data-plots=drawn]", state="attached")
    for name, font in FONTS.items():
        opened.page.evaluate(SET_FONT, font)
        document = pdfium.PdfDocument(opened.page.pdf(format="A4"))
        words = [" ".join(sheet.get_textpage().get_text_range().split()) for sheet in document]
        for section in page.sections:
            title, caption = section.title, section.charts[0].title
            assert any(title in one and caption in one[one.index(title) :] for one in words), (name, title)
        empty = [Picture(sheet.render(scale=0.5).to_numpy()).empty_below() for sheet in document]
        assert max(empty[:-1]) < MOST_EMPTY, (name, empty)
    # The outcome hangs on no line's height: nothing that is kept whole is higher than what may stay empty.
    opened.page.emulate_media(media="print")
    opened.page.evaluate(TWO_FRAMES)
    assert opened.page.evaluate(KEPT_WHOLE, A4_AT_96_DPI["height"]) == []
    opened.page.context.close()


def test_a_table_that_continues_to_the_right_says_so(browser: Any, file: Path) -> None:
    """On a phone, until its end is in sight; one that is not wider says nothing."""
    opened = Seen(browser.new_context(**READERS["phone"]), file)
    said = """() => [...document.querySelectorAll('main > section > .scroll')].map((frame) =>
        [frame.scrollWidth > frame.clientWidth + 4, frame.querySelector('.beyond').checkVisibility()])"""
    opened.page.evaluate(TWO_FRAMES)
    wide = opened.page.evaluate(said)
    assert {is_wide for is_wide, _ in wide} == {True, False}
    assert all(is_wide == is_said for is_wide, is_said in wide)
    frames = "document.querySelectorAll('.scroll').forEach((one) => { one.scrollLeft = one.scrollWidth })"
    opened.page.evaluate(frames)
    opened.page.evaluate(TWO_FRAMES)
    assert not any(is_said for _, is_said in opened.page.evaluate(said))
    opened.page.context.close()


def test_hovering_over_every_plot_shows_a_value(in_light: Seen) -> None:
    for plot in in_light.drawn():
        plot.scroll_into_view_if_needed()
        in_light.page.mouse.move(*plot.evaluate(PLACE))
        shown = plot.wait_for_selector(".hoverlayer .hovertext", state="attached")
        assert any(sign.isdigit() for sign in shown.text_content()), plot.get_attribute("aria-label")
        in_light.page.mouse.move(0, 0)


def test_axe_finds_nothing(seen: Seen) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    seen.drawn()
    found = axe.Axe().run(seen.page).response["violations"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"]][:3]) for v in found] == []


def test_a_change_of_the_readers_setting_recolours_the_plots(in_light: Seen) -> None:
    in_light.drawn()
    in_light.page.emulate_media(color_scheme="light")
    ink = "getComputedStyle(document.querySelector('.plot .xtick text')).fill"
    light = in_light.page.evaluate(ink)
    in_light.page.emulate_media(color_scheme="dark")
    in_light.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert light == "rgb(26, 34, 48)"
    assert in_light.page.evaluate(ink) == "rgb(230, 234, 241)"


def test_the_data_are_downloaded_as_they_were(in_light: Seen, tmp_path: Path) -> None:
    with in_light.page.expect_download() as waiting:
        in_light.page.click("#download")
    waiting.value.save_as(tmp_path / "data.json")
    assert (tmp_path / "data.json").read_bytes() == download_of(kept(), KEPT.read_bytes()).content


def test_the_keyboard_reaches_contents_tables_folds_and_the_download(in_light: Seen) -> None:
    in_light.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    in_light.page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = false })")
    reached = set()
    for _ in range(150):
        in_light.page.keyboard.press("Tab")
        reached.add(in_light.page.evaluate("document.activeElement.tagName"))
        if in_light.page.evaluate("document.activeElement.id") == "download":
            break
    assert reached >= {"A", "SUMMARY", "DIV", "PRE", "BUTTON"}


def test_without_scripts_the_numbers_are_there(browser: Any, file: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file.as_uri())
    assert "workers_0" in page.inner_text("#section-3")
    context.close()


# As py-spy's: started by its own load event, its script in CDATA between blank lines.
FLAMES = """<?xml version="1.0" standalone="no"?>
<svg version="1.1" width="1200" height="60" onload="init(evt)" xmlns="http://www.w3.org/2000/svg">
<script type="text/ecmascript">
<![CDATA[
function init(evt) {{
    var frame = document.getElementById("frame");
    frame.addEventListener("click", function () {{ frame.setAttribute("width", String(1 + 1) + "00"); }});
}}
]]>
</script>
<rect id="frame" width="100" height="40" fill="orange" {more}/>
</svg>
"""


def flame_graph(browser: Any, path: Path, more: str) -> tuple[Seen, Any]:
    """The page of a profile, and the rectangle of its flame graph after a click."""
    path.write_text(as_html(profile_page(PROFILE, FLAMES.format(more=more))), encoding="utf-8")
    opened = Seen(browser.new_context(**READERS["light"]), path)
    opened.drawn()
    holder = opened.page.wait_for_selector("iframe.flame")
    holder.scroll_into_view_if_needed()
    frame = holder.content_frame().wait_for_selector("#frame")
    frame.click()
    return opened, frame


def test_a_flame_graph_zooms_offline(browser: Any, tmp_path: Path) -> None:
    opened, frame = flame_graph(browser, tmp_path / "profile.html", "")
    assert frame.get_attribute("width") == "200"
    assert opened.complaints == []
    assert [url for url in opened.asked if not url.startswith("data:")] == [opened.url]
    opened.page.context.close()


def test_what_a_flame_graph_smuggles_in_does_nothing(browser: Any, tmp_path: Path) -> None:
    """A handler that the page's policy does not name, in a frame without the page's origin."""
    smuggled = """onclick="window.top.taken = 1; this.setAttribute('height', '1')" """
    opened, frame = flame_graph(browser, tmp_path / "profile.html", smuggled)
    assert frame.get_attribute("height") == "40"
    assert opened.page.evaluate("window.taken") is None
    opened.page.context.close()


def test_hostile_text_does_nothing(browser: Any, tmp_path: Path) -> None:
    for number, text in enumerate(HOSTILE[name] for name in IN_A_PAGE):
        path = tmp_path / f"{number}.html"
        path.write_text(as_html(run_page(hostile(text))), encoding="utf-8")
        context = browser.new_context(**READERS["phone"])
        opened = Seen(context, path)
        assert len(opened.drawn()) == 4
        assert opened.page.evaluate("window.taken") is None
        assert opened.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert opened.page.query_selector(".plot a") is None
        assert opened.complaints == []
        assert [url for url in opened.asked if not url.startswith(("data:", "blob:"))] == [opened.url]
        context.close()
