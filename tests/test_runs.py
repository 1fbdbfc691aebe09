"""Result files old and foreign are read; damaged and hostile ones cost one line."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.comparison.runs import compare
from bench.records.run import Answer, Estimate
from bench.results.run_file import BLOCK, LARGEST_FILE, check_size, entry, header, read_run, run_from
from mtl_core.errors import UserError
from reports.formats import text
from reports.pages.comparison import comparison_page

OLD = Path(__file__).parent / "old_runs"
NEWEST = (OLD / "schema2.json").read_bytes()
DOCUMENT: dict[str, Any] = json.loads(NEWEST)


def refused(content: bytes) -> str:
    with pytest.raises(UserError) as caught:
        run_from(content, "a/x.json", "x.json")
    line = str(caught.value)
    assert "a/x.json" in line
    assert "\n" not in line
    return line


def with_change(path: tuple[str | int, ...], value: Any) -> bytes:
    """The newest file with another value at a path."""
    document = copy.deepcopy(DOCUMENT)
    place = document
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = value  # type: ignore[index]
    return json.dumps(document).encode()


def test_a_file_of_this_version_is_read() -> None:
    run = read_run(OLD / "schema2.json")
    assert run.schema == 2
    assert run.machine is not None and run.ceilings is not None
    assert set(run.measured) == {"second_head/forward", "second_head/step"}
    effect = run.measured["second_head/step"]["both"].effect
    assert effect is not None
    told_there = next(
        b["extra_info"][BLOCK] for b in DOCUMENT["benchmarks"] if b["name"].endswith("step/both]")
    )
    assert effect.baseline == "second_head/step/digits"
    assert effect.estimate.n == len(told_there["set_ups"])


def test_no_verdict_is_written_on_times_of_unlike_work() -> None:
    run = read_run(OLD / "report.json")
    written = [entry(run, "batch_size/step", size) for size in run.measured["batch_size/step"]]
    unlike = [told for told in written if told["images"] != 128]
    assert unlike and all(told["verdict"] is None and told["effect"]["ratio"] for told in unlike)
    assert entry(run, "second_head/step", "both")["verdict"] is not None


def test_a_range_over_set_ups_claims_no_confidence_in_the_file_and_is_read_back() -> None:
    run = read_run(OLD / "schema2.json")
    size = Estimate(value=4096, low=2048, high=4096, confidence=1.0, n=3)
    fitted = Estimate(value=1.0, low=0.5, high=1.5, confidence=0.95, n=3)
    answer = Answer(question="q", asks="?", sentences=[], fits={"recommended": size, "fixed_s": fitted})
    block = header(msgspec.structs.replace(run, answers=[answer]))
    told = block["answers"][0]["fits"]
    assert (told["recommended"]["confidence"], told["fixed_s"]["confidence"]) == (None, 0.95)
    read = run_from(json.dumps({**DOCUMENT, BLOCK: block}).encode(), "a/x.json", "x.json")
    assert read.answers == [answer]


def test_the_first_schema_tells_the_same() -> None:
    old, new = read_run(OLD / "schema1.json"), read_run(OLD / "schema2.json")
    assert old.schema == 1
    assert old.measured == new.measured


def test_a_file_of_pytest_benchmark_alone_has_times_and_no_intervals() -> None:
    run = read_run(OLD / "pytest_benchmark.json")
    assert (run.schema, run.machine) == (None, None)
    known = run.measured["ungrouped"]["test_tiny.py::test_sort"]
    assert known.iteration_s.n == 1
    assert known.effect is None


SET_UP = ("benchmarks", 0, "extra_info", BLOCK, "set_ups", 0)
ROUND = (*SET_UP, "rounds", 0)
FEWER = DOCUMENT["benchmarks"][0]["extra_info"][BLOCK]["set_ups"][0]["rounds"][1:]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ((BLOCK, "schema"), 3, "schema 3"),
        ((BLOCK, "schema"), True, "schema True"),
        ((BLOCK,), [], "schema None"),
        ((BLOCK, "machine", "cpu"), 7, "$.machine.cpu"),
        ((BLOCK, "ceilings", "memory_gb_per_s"), 0, "memory_gb_per_s is 0"),
        (("benchmarks",), {}, "lists no benchmarks"),
        (("benchmarks", 0), 1, "extra_info"),
        ((*ROUND, "seconds"), 0.0, "seconds of"),
        ((*ROUND, "seconds"), -1.0, "seconds of"),
        ((*ROUND, "seconds"), 1e300, "seconds of"),
        ((*ROUND, "seconds"), "1", "expected"),
        ((*ROUND, "seconds"), None, "expected"),
        ((*ROUND, "iterations"), 0, "iterations of"),
        ((*ROUND, "facts"), {"new": 1.0}, "unlike facts"),
        ((*SET_UP, "images"), 0, "images of"),
        ((*SET_UP, "case"), "other/step/x", "another case"),
        ((*SET_UP, "block"), 1, "a block twice"),
        ((*SET_UP, "rounds"), [], "without rounds"),
        ((*SET_UP, "rounds"), FEWER, "were not interleaved"),
        (SET_UP[:-1], [], "has no set-up"),
        ((*SET_UP[:-2], "baseline"), "nobody", "several baselines"),
        ((*SET_UP[:-2], "case", "variant"), "control", "another case"),
    ],
)
def test_what_cannot_be_is_refused_by_name(path: tuple[str | int, ...], value: Any, said: str) -> None:
    assert said.lower() in refused(with_change(path, value)).lower()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON or cut off"),
        (NEWEST[: len(NEWEST) // 2], "not JSON or cut off"),
        (b"\xff\xfe\x00", "not JSON or cut off"),
        (b"[]", "lists no benchmarks"),
        (b'{"benchmarks": [], "x": NaN}', "NaN is no number"),
        (b'{"benchmarks": [], "x": -Infinity}', "-Infinity is no number"),
        (b'{"benchmarks": [], "x": 1e999}', "1e999 is no number"),
        (b'{"benchmarks": [], "x": 1' + b"0" * 5000 + b"}", "is no number"),
        (b'{"benchmarks": ' + b"[" * 30 + b"]" * 30 + b"}", "deeper than"),
        (b"[" * 200_000 + b"]" * 200_000, "nested deeper than 24"),
        (b'{"benchmarks": []}', "holds no benchmark at all"),
        (json.dumps({**DOCUMENT, "benchmarks": []}).encode(), "holds no benchmark at all"),
        (b'{"benchmarks": [{"stats": {"median": "x"}}]}', "no median"),
        (b'{"benchmarks": [{"stats": {"median": 0}}]}', "median of"),
        (b'{"benchmarks": [{"stats": []}]}', "stats is missing"),
    ],
)
def test_what_is_no_result_is_refused(content: bytes, said: str) -> None:
    assert said in refused(content)


def test_what_is_no_file_is_refused_unread(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")  # reading it would wait for ever
    for place, said in (
        (tmp_path, "it is a folder"),
        (tmp_path / "pipe.json", "is a pipe, no file"),
        (tmp_path / "x", "No such"),
    ):
        with pytest.raises(UserError, match=said):
            read_run(place)
    with pytest.raises(UserError, match="larger than"):
        check_size(LARGEST_FILE + 1, "x.json")


def paths(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every part of a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for name, part in parts for path in [(*here, name), *paths(part, (*here, name))]]


# Nine of ten paths lead into rounds, so as many are drawn from the rest.
EVERY = paths(DOCUMENT)
SHORT = [path for path in EVERY if "set_ups" not in path]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(st.characters(), max_size=8),
    st.sampled_from(["\x1b[2J", "\u202e", "", "control", "digits", "a/b/c"]),
    st.lists(st.integers(0, 2), max_size=2),
    st.dictionaries(st.text(max_size=3), st.floats(), max_size=2),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.one_of(st.sampled_from(EVERY), st.sampled_from(SHORT)), ODD), min_size=1, max_size=3
    )
)
@example([(("benchmarks", 0, "extra_info", "mtl_bench"), "\ud800")])
def test_a_damaged_file_is_read_or_refused_in_one_line(
    changes: list[tuple[tuple[str | int, ...], Any]],
) -> None:
    """And what is read can be compared and shown, or is refused for being another thing."""
    document = copy.deepcopy(DOCUMENT)
    for path, value in changes:
        place: Any = document
        try:
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = value
        except (TypeError, LookupError):  # an earlier change has taken this place away
            continue
    try:
        run = run_from(json.dumps(document).encode("utf-8"), "x.json", "x.json")
        found = compare([read_run(OLD / "schema2.json"), run])
    except UserError as error:
        assert "\n" not in str(error) or "is not the same benchmark" in str(error)
        return
    shown = text(comparison_page(found), "markdown")
    assert all(line.isprintable() for line in shown.splitlines())


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(NEWEST) - 1), st.binary(max_size=3))
def test_a_file_cut_off_or_overwritten_never_shows_a_traceback(place: int, other: bytes) -> None:
    for content in (NEWEST[:place], NEWEST[:place] + other + NEWEST[place + len(other) :]):
        try:
            run_from(content, "x.json", "x.json")
        except UserError as error:
            assert "\n" not in str(error)


def test_a_file_of_a_part_whose_baseline_failed_is_read(tmp_path: Path) -> None:
    """Earlier ones name each variant as its own baseline there; nothing is held against anything then."""
    document = json.loads((OLD / "schema2.json").read_bytes())
    blocks = [row["extra_info"]["mtl_bench"] for row in document["benchmarks"]]
    names = [f"{b['case']['question']}/{b['case']['part']}" for b in blocks]
    name = next(n for n, b in zip(names, blocks, strict=True) if b["baseline"] != b["case"]["variant"])
    alike = [b for n, b in zip(names, blocks, strict=True) if n == name]
    lost = alike[0]["baseline"]
    document["benchmarks"] = [
        row
        for row, b in zip(document["benchmarks"], blocks, strict=True)
        if b not in alike or b["case"]["variant"] not in (lost, "control")
    ]
    for block in alike:
        block.update(baseline=block["case"]["variant"], effect=None)
    file = tmp_path / "run.json"
    file.write_text(json.dumps(document))
    run = read_run(file)
    assert lost not in run.measured[name]
    assert all(known.effect is None for known in run.measured[name].values())
