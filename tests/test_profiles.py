"""A profile's file and how it is shown: round trips, damage, golden text."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from typer.testing import CliRunner

from bench.__main__ import app
from bench.records.profile import PROFILE_SCHEMA, MemorySample, Operator, Phase, Place, Profile, Sampling
from bench.records.run import Case, Estimate
from bench.results.profile_file import PROFILE_FILE, read_profile, write_profile
from mtl_core.errors import UserError
from reports.formats.html.plots import figures
from reports.model.charts import Bars
from reports.model.tables import laid_out
from reports.pages.profile import (
    files_table,
    memory_table,
    operators_table,
    places_table,
    profile_page,
    sentences,
    shown_name,
    tables,
)
from tests.made_up import MACHINE
from tests.reported import in_terminal

MIB = 2**20


def estimate(value: float, reach: float = 0.01) -> Estimate:
    return Estimate(value=value, low=value - reach, high=value + reach, confidence=0.95, n=4)


ENDLESS = Estimate(value=0.5, low=-math.inf, high=math.inf, confidence=0.95, n=1)
PROFILE = Profile(
    schema=PROFILE_SCHEMA,
    case=Case(question="q", part="epoch", variant="v", workload="m:F", settings={"workers": 2}),
    measured_at="2026-01-01T00:00:00+00:00",
    machine=MACHINE,
    steps=20,
    step_s=estimate(0.012, 0.001),
    sentence="62% (60% to 64%) of the time that Python works goes into the transform.",
    sampling=Sampling(
        rate_hz=100,
        seconds=12.0,
        recordings=3,
        samples=3000,
        waiting=900,
        processes=3,
        native=True,
        slowdown=1.02,
        native_slowdown=3.0,
    ),
    places=[
        Place(
            name="the transform",
            share=estimate(0.62),
            stack=["run (a.py:1)", "_transform (b.py:2)"],
            stack_share=0.2,
        ),
        Place(name="elsewhere", share=estimate(0.005), stack=["run (a.py:3)"], stack_share=0.004),
    ],
    operators=[
        Operator(name="FullyConnected", seconds=estimate(6e-4, 1e-5), share=estimate(0.7), calls=5.0),
        Operator(name="add_n,add_n,relu", seconds=estimate(2e-4, 1e-5), share=estimate(0.2), calls=1.0),
        Operator(name="mean", seconds=estimate(1e-4, 1e-5), share=estimate(0.1), calls=2.5),
    ],
    slowdown=estimate(1.2),
    memory=[
        MemorySample(at_s=0.1, rss_bytes=100 * MIB, pss_bytes=90 * MIB, processes=1),
        MemorySample(at_s=1.0, rss_bytes=300 * MIB, pss_bytes=200 * MIB, processes=3),
        MemorySample(at_s=1.5, rss_bytes=310 * MIB, pss_bytes=190 * MIB, processes=3),
    ],
    phases=[Phase(name="set-up 1", at_s=0.5), Phase(name="never sampled", at_s=2.0)],
    files={"flame graph": ["flamegraph.svg"], "speedscope": ["recording-1.speedscope.json"]},
    notes=["A profiled run is another regime."],
    warnings=["something is missing"],
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_profile(PROFILE, tmp_path)
    assert read_profile(tmp_path) == read_profile(tmp_path / PROFILE_FILE) == PROFILE
    assert [path.name for path in tmp_path.iterdir()] == [PROFILE_FILE]


def test_an_endless_interval_survives_the_file(tmp_path: Path) -> None:
    endless = replace(PROFILE, slowdown=ENDLESS, sampling=None, sentence=None, places=[])
    write_profile(endless, tmp_path)
    assert "Infinity" not in (tmp_path / PROFILE_FILE).read_text()
    assert read_profile(tmp_path) == endless


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"[]", "holds no JSON object"),
        (b"{}", "schema 'None'"),
        (b'{"schema": 99}', "schema '99'"),
        (b'{"schema": true}', "schema 'True'"),
        (b'{"schema": 1}', "damaged or no profile"),
        (b"[" * 100_000, "nested deeper"),
        (b"\xff\xfe\x00", "not JSON"),
    ],
)
def test_a_damaged_file_costs_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / PROFILE_FILE).write_bytes(content)
    with pytest.raises(UserError, match=said) as refused:
        read_profile(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_missing_file_costs_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_profile(tmp_path / "nowhere")


@given(st.data())
def test_a_file_with_one_field_spoilt_is_read_or_refused(data: st.DataObject) -> None:
    """Never a traceback: any field of the file may be anything JSON knows."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_profile(PROFILE, folder)
        told = json.loads((folder / PROFILE_FILE).read_bytes())
        field = data.draw(st.sampled_from(sorted(told)))
        told[field] = data.draw(
            st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none(), max_size=2)
        )
        (folder / PROFILE_FILE).write_text(json.dumps(told))
        try:
            assert isinstance(read_profile(folder), Profile)
        except UserError as refused:
            assert str(folder) in str(refused)


def test_the_tables_hold_what_was_found() -> None:
    assert laid_out(places_table(PROFILE)).rows == (
        ("the transform", "62.0 (61.0 to 63.0)"),
        ("elsewhere", "0.50 (0.0 to 1.5)"),  # a share ends at nothing
    )
    operators = laid_out(operators_table(PROFILE, most=2))
    assert operators.headings == ("operator", "time a step, \N{MICRO SIGN}s", "share, %", "calls a step")
    assert [row[0] for row in operators.rows] == ["FullyConnected", "add_n x2, relu", "1 more"]
    assert [row[3] for row in operators.rows] == ["5.00", "1.00", "2.50"]
    memory = laid_out(memory_table(PROFILE))
    assert [row[0] for row in memory.rows] == ["start", "set-up 1"]
    assert memory.headings[2:4] == ("PSS at most, MiB", "RSS at most, MiB")
    assert memory.rows[1][1:] == ("0.5", "200", "310", "3")
    assert len(tables(PROFILE)) == 4


def test_the_sentence_and_its_stack_come_first() -> None:
    told = sentences(PROFILE)
    assert told[0] == PROFILE.sentence
    assert told[1].endswith("run (a.py:1) > _transform (b.py:2)")
    assert told[2:] == PROFILE.notes
    assert files_table(PROFILE).rows[0][:2] == ("flamegraph.svg", "flame graph")


def test_without_samples_the_rest_is_shown() -> None:
    bare = replace(PROFILE, sentence=None, places=[], sampling=None, memory=[], phases=[])
    assert [table.title for table in tables(bare)] == [
        "operators, under MXNet's profiler",
        "files beside profile.json",
    ]
    assert sentences(bare) == PROFILE.notes


def test_long_names_of_joined_operators_are_counted_and_cut() -> None:
    joined = "_backward_FullyConnected,_backward_FullyConnected,add_n,_backward_Activation,_bac"
    assert shown_name(joined) == "_backward_FullyConnected x2, add_n + 2 more"
    assert shown_name("relu") == "relu"


def test_a_terminal_of_80_columns_holds_it_and_shows_hostile_names_as_they_are() -> None:
    hostile = replace(PROFILE.operators[0], name="[red]<script>[/red]")
    said = in_terminal(profile_page(replace(PROFILE, operators=[hostile]), ""))
    assert "[red]<script>[/red]" in said
    assert max(map(len, said.splitlines())) <= 80
    assert "! something is missing" in said


LATE = replace(PROFILE, sampling=replace(PROFILE.sampling, behind_s=2.5))


def test_shares_are_bars_with_their_intervals() -> None:
    places, operators, _ = profile_page(PROFILE, "").sections[0].charts
    assert isinstance(places, Bars) and isinstance(operators, Bars)
    assert (places.rows, operators.rows) == (("the transform",), ("FullyConnected", "add_n x2, relu", "mean"))
    assert places.parts == {"share": (pytest.approx(62.0),)}
    drawn = figures(places)[0][1]["data"][0]
    assert drawn["error_x"]["array"] == [pytest.approx(1.0)]
    assert drawn["text"] == ["the transform: 62.0 (61.0 to 63.0) %"]
    assert laid_out(places.table()).rows == (("the transform", "62.0 (61.0 to 63.0)"),)


@pytest.mark.parametrize(
    "profile",
    [
        LATE,
        replace(
            PROFILE,
            warnings=[
                "py-spy fell 2.5 s behind in recording-1.speedscope.json: its shares are off; lower --rate"
            ],
        ),
    ],
    ids=["now", "an older file"],
)
def test_shares_that_are_off_make_no_headline(profile: Profile) -> None:
    page = profile_page(profile, "")
    assert "not certain" in page.verdict and "62%" not in page.verdict
    assert page.sections[0].sentences == (page.verdict, *PROFILE.notes)
    assert page.sections[0].charts[0].title == "Where Python works (shares are off)"


def test_a_flame_graph_that_is_off_leaves_the_headline_alone() -> None:
    line = "py-spy fell 2.5 s behind in flamegraph.svg: its widths are off; lower --rate"
    inside = replace(PROFILE, warnings=[line], sampling=replace(PROFILE.sampling, behind_s=0.2))
    assert profile_page(inside, "").verdict == PROFILE.sentence


def test_the_command_writes_the_page_and_says_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def profiled(_case: Case, folder: Path, **_options: object) -> Profile:
        (folder / "flamegraph.svg").write_text("<svg><text>flames</text></svg>", encoding="utf-8")
        return PROFILE

    monkeypatch.setattr("bench.profile.session.profile", profiled)
    monkeypatch.delenv("NOX_CURRENT_SESSION", raising=False)
    target = tmp_path / "profiled"
    told = CliRunner().invoke(app, ["profile", "-o", str(target)])
    assert told.exit_code == 0, told.output
    assert "data:image/svg+xml" in (target / "profile.html").read_text(encoding="utf-8")
    *_, folder, page, following = told.stdout.splitlines()
    assert (folder, page) == (f"Profile: {target}", f"Page: {target / 'profile.html'}")
    assert following == f"Next: python -m bench report {target} --open"
