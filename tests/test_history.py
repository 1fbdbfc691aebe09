"""Many runs over time: machines apart, oldest first, unlike things left out, said in words."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import msgspec
import numpy as np
import pytest
from rich.console import Console

from bench.comparison.history import history
from bench.records.comparison import History, LevelChange, Series
from bench.records.run import Estimate, Run
from bench.results.collection import read_all
from mtl_core.errors import UserError
from reports.formats.terminal.page import fitted
from reports.model.courses import WIDEST, drawing
from reports.pages import history as told
from tests.reported import as_csv, as_json
from tests.test_compare import MACHINE, run_of

OLD = Path(__file__).parent / "old_runs"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def dated(run: Run, day: int, **machine: Any) -> Run:
    when = (START + timedelta(days=day)).isoformat()
    told_of = msgspec.structs.replace(run.machine or MACHINE, **{"source": f"{day:040x}", **machine})
    return msgspec.structs.replace(run, measured_at=when, machine=told_of, name=f"{day}.json")


def runs_with(static_s: list[float], **machine: Any) -> list[Run]:
    """One run a day; the step's time as given, its baseline at 1 ms, noise of half a percent."""
    rng = np.random.default_rng(0)
    return [
        dated(
            run_of({"imperative": 1e-3, "static": s * math.exp(rng.normal(0, 0.005))}, seed=day, blocks=3),
            day,
            **machine,
        )
        for day, s in enumerate(static_s)
    ]


STEPPED = [1e-3] * 7 + [1e-3 / 1.061] * 5


def series(found: History, benchmark: str, measure: str) -> Series:
    return next(s for s in found.machines[0].series if (s.benchmark, s.measure) == (benchmark, measure))


def test_a_change_is_told_with_its_revision_and_how_many_runs_stand_for_it() -> None:
    found = history(runs_with(STEPPED)[::-1])
    change = series(found, "hybridize/step/static", "throughput").changes[0]
    assert (change.run, change.before, change.after, change.build) == (7, 7, 5, [])
    assert change.ratio.low < 1.061 < change.ratio.high
    said = " ".join(told.sentences(found.machines[0]))
    assert "hybridize/step/static: throughput +" in said
    assert "revision 000000000" in said
    assert "(7 runs before, 5 after" in said
    assert "Where nothing changed and the machine does not drift, the chance of any mark" in said
    assert "the search goes on, at 5% again" in said and "the interval beside it is indicative" in said
    assert series(found, "hybridize/step/imperative", "throughput").changes == []


def test_a_change_between_runs_of_one_revision_is_not_the_codes() -> None:
    found = history(runs_with(STEPPED, source="f" * 40))
    assert series(found, "hybridize/step/static", "throughput").changes[0].same_source
    assert "its code is not the cause" in " ".join(told.sentences(found.machines[0]))


def test_another_python_at_the_change_is_told() -> None:
    runs = runs_with(STEPPED)
    newer = [dated(run, day, python="3.12.1") if day >= 7 else run for day, run in enumerate(runs)]
    found = history(newer)
    assert series(found, "hybridize/step/static", "time ratio").changes[0].build == ["python"]
    assert "also changed there: python" in " ".join(told.sentences(found.machines[0]))


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({}, {"OMP_NUM_THREADS": "1"}, "OMP_NUM_THREADS"),
        ({"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}, "OMP_NUM_THREADS"),
        ({"MTL_DENORMALS": "flush", "python": "1"}, {"python": "2"}, "MTL_DENORMALS"),
    ],
)
def test_another_environment_at_the_change_is_told(
    before: dict[str, str], after: dict[str, str], names: str
) -> None:
    """Set, unset or other; a file that calls a variable "python" changes no version."""
    runs = runs_with(STEPPED)
    runs = [dated(run, day, environment=after if day >= 7 else before) for day, run in enumerate(runs)]
    found = history(runs)
    assert series(found, "hybridize/step/static", "throughput").changes[0].build == [names]
    assert f"also changed there: {names}" in " ".join(told.sentences(found.machines[0]))


def test_what_changed_in_a_run_of_other_benchmarks_stands_at_the_next_of_this_one() -> None:
    """The run before the change is the last that measured it."""
    runs = runs_with(STEPPED)
    settings = {"source": "f" * 40, "environment": {"OMP_NUM_THREADS": "1"}}
    between = dated(run_of({"eager": 1e-3, "other": 1e-3}), 6, **settings)
    between = msgspec.structs.replace(between, measured_at="2026-01-07T12:00:00+00:00")
    later = [dated(run, day, **settings) for day, run in enumerate(runs[7:], 7)]
    found = history([*runs[:7], between, *later])
    (change,) = series(found, "hybridize/step/static", "throughput").changes
    assert (change.run, change.build, change.same_source) == (8, ["OMP_NUM_THREADS"], False)


def test_few_runs_claim_nothing() -> None:
    found = history(runs_with([1e-3] * 4 + [2e-3] * 4)).machines[0]
    assert all(s.changes == [] for s in found.series)
    assert found.tested == 0
    assert "nothing is claimed" in told.sentences(found)[0]


def test_where_nothing_is_marked_no_interval_is_spoken_of() -> None:
    said = told.sentences(history(runs_with([1e-3] * 12)).machines[0])
    assert len(said) == 1 and said[0].endswith("is 5%.")


def test_machines_have_histories_of_their_own() -> None:
    found = history([*runs_with([1e-3] * 3), *runs_with([1e-3] * 2, cpu="Other")])
    assert [(len(m.runs), "Other" in m.machine) for m in found.machines] == [(3, False), (2, True)]


def test_what_had_other_settings_under_the_name_is_no_part_of_the_series() -> None:
    old = [dated(run_of({"imperative": 1e-3}, settings={"batch_size": 64}), day) for day in range(3)]
    new = [dated(run_of({"imperative": 1e-3}, settings={"batch_size": 128}), day) for day in (4, 5)]
    found = history([*old, *new])
    kept = series(found, "hybridize/step/imperative", "throughput")
    assert [value is None for value in kept.values] == [True, True, True, False, False]
    assert "3 runs are left out: they differ in settings.batch_size" in told.footnotes(found.machines[0])[0]


def test_a_run_without_machine_or_time_is_left_out_by_name() -> None:
    undated = msgspec.structs.replace(run_of({"a": 1e-3}), measured_at="yesterday", name="odd.json")
    found = history([undated, *runs_with([1e-3])], ["broken.json is no result file (not JSON"])
    assert told.left_out(found) == [
        "left out: broken.json is no result file (not JSON",
        "left out: odd.json: tells no machine or no time of its measurement",
    ]


def test_the_drawing_has_a_character_for_each_run_and_a_mark_at_the_change() -> None:
    found = history(runs_with(STEPPED))
    changed = series(found, "hybridize/step/static", "throughput")
    assert drawing(told.course_of(changed))[7] == "|"
    assert len(drawing(told.course_of(changed))) == 13
    assert drawing(told.course_of(changed), ascii_only=True).isascii()
    flat = Series(benchmark="x", measure="throughput", values=[100.0, 100.1, None, 99.9], changes=[])
    assert len(set(drawing(told.course_of(flat)))) == 1
    many = Series(benchmark="x", measure="throughput", values=[float(v) for v in range(1, 500)], changes=[])
    assert len(drawing(told.course_of(many))) <= WIDEST
    assert list(drawing(told.course_of(many))) == sorted(drawing(told.course_of(many)))


@pytest.mark.parametrize(
    ("width", "count", "shown"), [(80, 12, 13), (80, 30, 17), (200, 30, 31), (72, 30, 11)]
)
def test_a_course_is_drawn_on_one_line_in_the_room_that_is_left(width: int, count: int, shown: int) -> None:
    """And names are cut at a slash alone, whatever the encoding."""
    name = "loader_workers/epoch_of_the_tutorial/fast_unsplit"
    values = [5e4 * (1 + 0.001 * (n % 3) + 0.1 * (n >= count // 2)) for n in range(count)]
    change = LevelChange(
        run=count // 2,
        source=None,
        ratio=Estimate(value=1.1, low=1.0, high=1.2, confidence=0.95, n=3),
        before=count // 2,
        after=count - count // 2,
        p=0.001,
        same_source=False,
        build=[],
    )
    machine = msgspec.structs.replace(
        history(runs_with([1e-3])).machines[0],
        series=[Series(benchmark=name, measure="throughput", values=list(values), changes=[change])],
    )
    for encoding in ("utf-8", "ascii"):
        console = Console(file=io.TextIOWrapper(io.BytesIO(), encoding=encoding), width=width)
        with console.capture() as captured:
            for table in told.tables(machine):
                console.print(fitted(table, console))
        lines = captured.get().splitlines()
        assert max(map(len, lines)) <= width
        below = lines[next(n for n, line in enumerate(lines) if line.startswith(" benchmark")) + 2 :]
        name_column, *numbers = zip(*(line.split() for line in below if len(line.split()) == 5), strict=True)
        courses = numbers[-1]
        assert [(len(course), course.count("|")) for course in courses] == [(shown, 1)]
        parts = [*name_column, *(line.strip() for line in below if len(line.split()) == 1)]
        assert "".join(parts) == name
        assert all(part.endswith("/") for part in parts[:-1])


def test_csv_gives_every_value_with_its_level() -> None:
    rows = list(csv.DictReader(as_csv(told.history_page(history(runs_with(STEPPED)))).splitlines()))
    static = [r for r in rows if (r["benchmark"], r["measure"]) == ("hybridize/step/static", "throughput")]
    assert [row["level"] for row in static] == ["0"] * 7 + ["1"] * 5


def test_json_has_all_of_it() -> None:
    document = json.loads(as_json(told.history_page(history(runs_with(STEPPED)))))
    machine = document["machines"][0]
    assert (document["schema"], machine["tested"], len(machine["runs"])) == (1, 3, 12)
    assert [len(s["changes"]) for s in machine["series"] if s["benchmark"].endswith("static")] == [1, 1]


@pytest.mark.parametrize("scheme", ["memory", "file", "folder"])
def test_results_are_read_from_any_place_that_fsspec_knows(scheme: str, tmp_path: Path) -> None:
    place = {"memory": "memory://results", "file": f"file://{tmp_path}", "folder": str(tmp_path)}[scheme]
    files = {"b.json": (OLD / "schema2.json").read_bytes(), "a.json": (OLD / "schema1.json").read_bytes()}
    files |= {"broken.json": b"{", "notes.txt": b"-", ".hidden.json": b"{"}
    file_system, root = fsspec.core.url_to_fs(place)
    file_system.makedirs(root, exist_ok=True)
    for name, content in files.items():
        file_system.pipe_file(f"{root}/{name}", content)
    runs, left_out = read_all(place)
    assert [run.name for run in runs] == ["a.json", "b.json"]
    assert len(left_out) == 1 and left_out[0].startswith("broken.json is no result file (not JSON")


class Pieces(io.BytesIO):
    """A stream that gives a little at a time, however much is asked for."""

    given: ClassVar[int] = 0  # bytes, by all of them

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(1000 if size is None or size < 0 else min(size, 1000))
        Pieces.given += len(part)
        return part


class Untold(fsspec.AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """As over HTTP: a listing without sizes, files as streams."""

    protocol = "untold"
    held: ClassVar[dict[str, bytes]] = {}

    def isdir(self, path: str) -> bool:
        return True

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        return [{"name": f"x/{name}", "size": None, "type": "file"} for name in self.held]

    def open(self, path: str, mode: str = "rb", **_: Any) -> Pieces:
        return Pieces(self.held[path.rsplit("/", 1)[-1]])


def test_a_file_of_untold_size_is_read_no_further_than_a_result_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = (OLD / "schema2.json").read_bytes()
    monkeypatch.setattr("bench.results.run_file.LARGEST_FILE", len(whole))
    monkeypatch.setattr("bench.results.collection.LARGEST_FILE", len(whole))
    monkeypatch.setattr(Pieces, "given", 0)
    monkeypatch.setattr(Untold, "held", {"a.json": whole, "endless.json": b" " * (3 * len(whole))})
    fsspec.register_implementation("untold", Untold, clobber=True)
    runs, left_out = read_all("untold://x")
    assert [run.name for run in runs] == ["a.json"]
    assert len(left_out) == 1 and left_out[0].startswith("endless.json is larger than")
    assert Pieces.given == len(whole) + len(whole) + 1


def test_of_too_many_files_the_newest_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.results.collection.MOST_FILES", 2)
    for day in (3, 1, 2):
        (tmp_path / f"2026010{day}-000000.json").write_bytes((OLD / "schema2.json").read_bytes())
    runs, left_out = read_all(str(tmp_path))
    assert [run.name for run in runs] == ["20260102-000000.json", "20260103-000000.json"]
    assert left_out == ["1 of 3 files, the first by name: at most 2 are read"]


@pytest.mark.parametrize(
    ("place", "said"),
    [("nowhere", "is no folder"), ("nonsense://x", "nonsense"), ("memory://nothing", "is no folder")],
)
def test_a_place_that_is_not_there_costs_one_line(place: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_all(place)


def test_real_files_become_a_history() -> None:
    content = json.loads((OLD / "schema2.json").read_text())
    runs, _ = read_all(str(OLD))
    found = history(runs)
    assert found.machines[0].machine == content["mtl_bench"]["machine_class"]
