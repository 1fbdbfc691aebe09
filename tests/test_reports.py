"""Every format of a report: golden, harmless whatever it is given, right at any width."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.records.run import Estimate, Run
from bench.results.run_file import read_run
from reports.formats.html.plots import figures
from reports.formats.terminal.page import fitted
from reports.model.download import Download
from reports.model.page import Page
from reports.model.tables import Column, Table
from reports.pages.run import run_page
from reports.pages.run_download import download_of
from reports.pages.single import one_section_page, ratios_charts
from tests.reported import HOSTILE, KEPT, as_csv, as_html, as_markdown, hostile, in_terminal, kept

GOLDEN = Path(__file__).parent / "golden"
WRITE = os.environ.get("MTL_GOLDEN") == "write"  # after looking at what changed
LARGEST = 6_000_000  # bytes of a page


def golden(name: str, told: str) -> None:
    """The text is as the golden file has it; MTL_GOLDEN=write takes it as the new one."""
    if WRITE:
        (GOLDEN / name).write_text(told, encoding="utf-8")
    assert told == (GOLDEN / name).read_text(encoding="utf-8")


def markup(page: str) -> str:
    """The page without what is in its style and its scripts."""
    return re.sub(r"(<(script|style)[^>]*>).*?(</\2>)", r"\1...\3", page, flags=re.DOTALL)


@pytest.fixture(scope="module")
def page() -> Page:
    return run_page(kept())


@pytest.mark.parametrize(("width", "encoding"), [(80, "utf-8"), (80, "ascii"), (200, "utf-8")])
def test_the_terminal_is_as_it_was(page: Page, width: int, encoding: str) -> None:
    told = in_terminal(page, width, encoding)
    golden(f"report_{width}_{encoding}.txt", "\n".join(line.rstrip() for line in told.splitlines()) + "\n")


def test_markdown_is_as_it_was(page: Page) -> None:
    golden("report.md", as_markdown(page))


def test_csv_is_as_it_was(page: Page) -> None:
    golden("report.csv", as_csv(page))


def test_the_html_page_is_as_it_was(page: Page) -> None:
    told = markup(as_html(page))
    golden("report.html", re.sub(r"'sha256-[^']*'", "'sha256-...'", told))


def test_the_plots_are_as_they_were(page: Page) -> None:
    drawn = [
        (title, figure)
        for section in page.sections
        for chart in (*section.charts, *(chart for fold in section.folds for chart in fold.charts))
        for title, figure in figures(chart)
    ]
    golden("report_plots.json", "\n".join(json.dumps(one) for one in drawn) + "\n")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_no_line_is_wider_than_the_terminal(page: Page, width: int, encoding: str) -> None:
    assert max(map(len, in_terminal(page, width, encoding).splitlines())) <= width


def test_without_utf_all_is_ascii(page: Page) -> None:
    assert in_terminal(page, 80, "latin-1").isascii()


def test_colour_adds_nothing_but_colour(page: Page) -> None:
    coloured = in_terminal(page, 80, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == in_terminal(page, 80)


def unsafe(told: str) -> set[str]:
    """Characters that act on what shows them."""
    return set(
        re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", told)
    )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
class TestHostileText:
    def test_in_a_terminal(self, text: str) -> None:
        for encoding in ("utf-8", "ascii"):
            told = in_terminal(run_page(hostile(text)), 80, encoding)
            assert not unsafe(told)
            assert len(told) < 60_000
            assert max(map(len, told.splitlines())) <= 80

    def test_in_markdown(self, text: str) -> None:
        told = as_markdown(run_page(hostile(text)))
        assert not unsafe(told)
        assert len(told) < 60_000
        summaries = re.findall(r"<summary>(.*?)</summary>", told)
        assert not re.search(r"[<>]", "".join(summaries))
        told = re.sub(r"<summary>.*?</summary>", "", told)  # HTML, in which Markdown is not read
        told = re.sub(r"^    .*$", "", told, flags=re.MULTILINE)  # code, shown as it is
        assert re.findall(r"(?<!\\)<(?!/?details>)", told) == []
        assert re.findall(r"^# ", told, flags=re.MULTILINE) == []
        assert "\njavascript:" not in told and not re.search(r"(?<!\\)\]\(", told)
        rows = [line for line in told.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}

    def test_in_csv(self, text: str) -> None:
        told = as_csv(run_page(hostile(text)))
        assert not unsafe(told)
        cells = [cell for row in csv.reader(io.StringIO(told)) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]

    def test_in_html(self, text: str) -> None:
        told = as_html(run_page(hostile(text), Download(text, text.encode("utf-8", "surrogatepass"), text)))
        assert not unsafe(told)
        found = Elements(told)
        assert (
            found.tags
            == Elements(as_html(run_page(hostile("plain"), Download("plain", b"plain", "plain")))).tags
        )
        assert not [name for name in found.attributes if name.startswith("on")]


class Elements(HTMLParser):
    """The elements of a page in their order, and the names of their attributes."""

    def __init__(self, told: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(told)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "wbr":  # where a name may be broken, which is the name's own
            self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}


def test_no_command_to_paste_runs_what_a_file_says() -> None:
    page = run_page(hostile("x; rm -rf ~ $(id)"))
    assert page.reproduce[-2:] == (
        "python -m bench run 'x; rm -rf ~ $(id)' --budget 'x; rm -rf ~ $(id)' --seed 'x; rm -rf ~ $(id)' "
        "--json run.json",
        "python -m bench report run.json --open",
    )
    assert all(line.startswith("# ") for line in page.reproduce[:-2])


def test_a_page_is_below_its_limit_and_names_no_place_to_fetch_from() -> None:
    told = as_html(run_page(kept(), download_of(kept(), KEPT.read_bytes())))
    assert len(told.encode()) < LARGEST
    assert re.findall(r"(?:src|href|action)=\"(?!#|data:,)", markup(told)) == []
    assert "connect-src" not in told and "default-src 'none'" in told.replace("&#39;", "'")


def test_the_data_to_download_lack_the_hosts_name() -> None:
    content = KEPT.read_bytes().replace(b'"node":""', b'"node": "a \\"quoted\\" host"')
    download = download_of(kept(), content)
    assert b"host" not in download.content.replace(b"huge", b"") or b"quoted" not in download.content
    assert json.loads(download.content)["machine_info"]["node"] == ""


def test_of_a_large_file_estimates_and_thinned_rounds_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.model.download.LARGEST", 1000)
    download = download_of(kept(), KEPT.read_bytes())
    told = json.loads(download.content)
    assert "too large" in download.said
    assert download.name == "report-reduced.json"
    assert told["measured"].keys() == told["rounds"].keys() == kept().measured.keys()
    assert all(len(rounds) <= 100 for group in told["rounds"].values() for rounds in group.values())


def test_a_run_without_intervals_is_told_so() -> None:
    run = kept()
    endless = Estimate(value=1.46, low=0.0, high=float("inf"), confidence=0.95, n=1)
    measured = {
        group: {
            v: msgspec.structs.replace(
                m,
                iteration_s=endless,
                effect=m.effect and msgspec.structs.replace(m.effect, estimate=endless),
            )
            for v, m in known.items()
        }
        for group, known in run.measured.items()
    }
    page = run_page(msgspec.structs.replace(run, measured=measured))
    for told in (in_terminal(page, 80), as_markdown(page), as_html(page)):
        assert "inf" not in re.sub(r"[A-Za-z]inf|inf[a-z]+", "", markup(told))
        assert "1.46" in told


def test_ratios_to_other_variants_than_the_baseline_count_as_well() -> None:
    run, group = kept(), "second_head/step"
    known = run.measured[group]
    against = known["separate"].case.name
    assert known["both"].effect is not None
    saved = msgspec.structs.replace(known["both"].effect, baseline=against, verdict="faster")
    both = msgspec.structs.replace(known["both"], beside={"separate": saved})
    counts = []
    for variant in (known["both"], both):
        page = run_page(msgspec.structs.replace(run, measured={group: {**known, "both": variant}}))
        counts.append(int(page.verdict.split()[0]))
        rows = [row[1:3] for row in page.decided.rows if row[:2] == (group, "both")]
        assert (("both", "separate") in rows) == (variant is both)
    assert counts == [3, 4]


def test_the_command_to_measure_again_has_what_was_asked_for() -> None:
    settings = {"quick": "True", "batch_size": "256", "data": "mnist", "OMP_NUM_THREADS": "1", "budget": "9s"}
    run = msgspec.structs.replace(kept(), settings={**settings, "seed": "7"})
    (command,) = (line for line in run_page(run).reproduce if " run " in line)
    options = "--quick --batch-size 256 --data mnist --threads 1 --budget 9s --seed 7 --json run.json"
    assert command.endswith(options)
    (usual,) = (line for line in run_page(kept()).reproduce if " run " in line)
    assert "--quick" not in usual and "--batch-size" not in usual


def test_the_control_is_told_as_the_noise_floor() -> None:
    page = run_page(kept())
    told = [sentence for section in page.sections for sentence in section.sentences]
    assert sum(sentence.startswith("Noise floor of step: ") for sentence in told) >= 2
    assert all("x (" in sentence and "smaller differences mean nothing" in sentence for sentence in told)
    assert told[0] in in_terminal(page, 200) and told[0] in as_html(page)


def test_a_file_of_pytest_benchmark_alone_makes_a_page(tmp_path: Path) -> None:
    file = tmp_path / "foreign.json"
    stats = {"median": 0.5}
    file.write_text(json.dumps({"benchmarks": [{"group": "g", "fullname": "t::a", "stats": stats}]}))
    page = run_page(read_run(file))
    assert page.verdict == "Nothing was compared in this run."
    assert "no interval" in page.method[0]
    assert "t::a" in as_html(page) and "t::a" in in_terminal(page, 80)
    assert "images" not in in_terminal(page, 80) and "throughput" not in as_csv(page)
    assert "baseline" not in in_terminal(page, 80)


def test_other_pages_than_a_runs_are_rendered_too() -> None:
    """What a comparison, a history or a profile hands over: sentences, tables, ratios, markup of its own."""
    table = Table("What differs", (Column("field", align="left"), Column("time", "s")), (("a", 0.0012),))
    ratio = Estimate(value=0.9, low=0.88, high=0.92, confidence=0.95, n=6)
    page = one_section_page(
        "Comparison",
        "Two runs",
        "One thing differs.",
        sentences=["A is quicker than B."],
        tables=[table],
        charts=[
            *ratios_charts(
                "Changes", [("step", "both", ratio, "different"), ("step", "gone", None, None)], 0.02
            ),
            *ratios_charts("Nothing", [], 0.02),
        ],
        flame_graph="<svg id='flame'></svg>",
    )
    assert [chart.title for chart in page.sections[0].charts] == ["Changes"]
    assert base64.b64encode(b"<svg id='flame'></svg>").decode() in as_html(page)
    assert "different" in json.dumps(figures(page.sections[0].charts[0]))
    assert "1.20" in in_terminal(page, 80) and "A is quicker than B." in in_terminal(page, 80)
    assert "| a | 1.20 |" in as_markdown(page)
    assert "a,0.0012" in as_csv(page)


@pytest.mark.parametrize("width", [66, 80, 100])
def test_numbers_and_intervals_stay_on_one_line_and_names_are_cut_at_a_sign(width: int) -> None:
    ratio = Estimate(value=1.0, low=0.93, high=1.09, confidence=0.95, n=6)
    columns = (
        Column("variant", align="left"),
        Column("source", align="left"),
        Column("time", "s"),
        Column("time ratio", note="below 1 is faster"),
        Column("verdict", align="left"),
    )
    row = ("first_call/of_the_second_head/hybridized", "946ab7741023+dirty", 0.0123, ratio, "undecided")
    told = io.StringIO()
    console = Console(file=told, width=width)
    console.print(fitted(Table("A table", columns, (row,)), console))
    lines = told.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert sum("12.3" in line and "1.00 (0.93 to 1.09)" in line for line in lines) == 1
    assert "undecided" in told.getvalue()
    cut_at = {100: "946ab7741023+dirty", 80: "946ab7741023+dirty", 66: "+dirty"}
    assert any(cut_at[width] in line.split() for line in lines)


def test_an_empty_run_makes_a_page() -> None:
    page = run_page(Run(name="nothing.json"))
    assert "Nothing was compared" in as_html(page)
    assert "Nothing was compared" in in_terminal(page, 80)
    assert "Nothing was compared" in as_markdown(page)
