"""What is said of somebody's network: in their names, of samples; of modes that compute something else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.answers.renewal import with_answers_anew
from bench.answers.settings import advice_of
from bench.api import ShownRun, compare, run, runs
from bench.commands.network import questions_of
from bench.commands.report import page_of
from bench.comparison.history import history
from bench.comparison.runs import compare as compared
from bench.harness import pool, session
from bench.harness.session import Session
from bench.machine.identity import sources
from bench.questions.question import Asked
from bench.records.declared import Difference
from bench.records.run import Measured
from bench.results.journal import Identity, Journal, read_journal
from bench.results.run_file import read_run
from mtl_core.errors import UserError
from reports.formats import text
from reports.model.screen import Screen
from reports.pages.comparison import comparison_page
from reports.pages.history import history_page
from tests import played
from tests.made_up import MACHINE

NETWORK = "acme.bench:task"
APART = Difference(where="the gradient of dense0_weight", share=0.25)
TOLD = "computes something else, by 0.25 of the largest value of the gradient of dense0_weight"


def wrong(network: str, batch_size: int) -> Any:
    """Static memory computes something else, and is the quickest by far."""
    return replace(DECLARED(network, batch_size), differs={"static": APART})


DECLARED = played.declared


@pytest.fixture(scope="module")
def departing(tmp_path_factory: pytest.TempPathFactory) -> tuple[ShownRun, Path]:
    place = tmp_path_factory.mktemp("run") / "run.json"
    with pytest.MonkeyPatch.context() as patch:
        played_here(patch)
        patch.setattr(played, "declared", wrong)
        return run(NETWORK, "hybridize", "heads", budget="1s", quick=True, json=place), place


def played_here(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(session, "measure_ceilings", None)
    patch.setattr(pool.WorkerProcess, "answered", None, raising=False)
    for name in played.PLAYED:
        patch.setattr(pool.WorkerProcess, name, None)
    played.install()
    patch.setattr(runs, "preflight", lambda *_: [])


@pytest.mark.parametrize("form", ["terminal", "html", "markdown", "csv", "json"])
@pytest.mark.parametrize("fresh", [True, False])
def test_the_row_of_a_mode_says_that_it_computes_something_else(
    departing: tuple[ShownRun, Path], form: str, fresh: bool
) -> None:
    shown, place = departing
    page = shown.page() if fresh else page_of(place)
    lines = text(page, form, Screen(width=250)).replace("\\_", "_").splitlines()
    rows = [line for line in lines if TOLD in line]
    assert rows, form
    if form in ("terminal", "markdown", "csv"):
        assert any("static" in line and "0.9" in line for line in rows)
    assert page.decided is not None
    assert "static" not in {row[1] for row in page.decided.rows}
    assert page.title == f"What {NETWORK} costs"
    assert {column.unit for s in page.sections for t in s.tables for column in t.columns} >= {"samples/s"}
    assert "images" not in "".join(line for line in text(page, "markdown").splitlines())


def test_comparisons_and_histories_count_samples_too(departing: tuple[ShownRun, Path]) -> None:
    _, place = departing
    again = read_run(place)
    for page in (comparison_page(compared([again, again])), history_page(history([again, again]))):
        units = {column.unit for s in page.sections for t in s.tables for column in t.columns}
        assert "samples/s" in units and "images/s" not in units
        assert "images" not in text(page, "markdown")


def test_what_is_read_from_a_file_says_what_the_run_said(departing: tuple[ShownRun, Path]) -> None:
    shown, place = departing
    read = read_run(place)
    questions = questions_of(read)
    assert questions is not None
    again = with_answers_anew(read, questions)
    assert [a.sentences for a in again.answers] == [a.sentences for a in shown.answers]
    assert again.advice == shown.advice
    assert any(line.startswith("box costs 5") for a in again.answers for line in a.sentences)
    assert questions_of(msgspec.structs.replace(read, declared=None)) is None


def step_of(departing: tuple[ShownRun, Path], apart: bool) -> dict[str, dict[str, Measured]]:
    """The modes as measured, where the quickest computes the same or something else."""
    step = dict(departing[0].measured["hybridize/step"])
    if not apart:
        case = msgspec.structs.replace(step["static"].case, departs=msgspec.UNSET)
        step["static"] = msgspec.structs.replace(step["static"], case=case)
    return {"hybridize/step": step}


def test_the_quickest_mode_is_recommended_only_where_it_computes_the_same(
    departing: tuple[ShownRun, Path],
) -> None:
    advice, other = advice_of(step_of(departing, apart=False)), advice_of(step_of(departing, apart=True))
    assert advice is not None and other is not None
    assert (advice.variant, other.variant) == ("static", None)
    said = re.match(rf"A step of {re.escape(NETWORK)} then takes ([0-9.]+)x \(", advice.sentences[0])
    assert said is not None and float(said[1]) == pytest.approx(0.9, rel=0.01), advice.sentences[0]
    assert advice.command == "network.hybridize(static_alloc=True, static_shape=True)"
    assert f"Not recommended: static, which {TOLD}." in other.sentences
    assert "static" not in {one.name for one in other.worth}
    headline = departing[0].page().headline
    assert headline is not None and "hybridize: static" not in {row.name for row in headline.rows}  # type: ignore[union-attr]


def test_two_that_were_compared_are_compared_again_by_the_line_of_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played_here(monkeypatch)
    told = compare(NETWORK, {"mode": "static", "threads": 2}, budget="1s")
    (line,) = told.page().reproduce
    assert line.startswith("python -c 'from bench.api import compare; print(compare({")
    assert "budget=" in line and "'\"'\"'static'\"'\"'" in line and "OMP_NUM_THREADS" in line
    assert told.page().title == told.answers[0].asks


def test_a_run_goes_on_only_with_the_users_code_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("acme/net.py", "acme/other.py", ".venv/lib/a.py", "env/b.py", "env/pyvenv.cfg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    assert list(sources(tmp_path)) == ["acme/net.py", "acme/other.py"]
    monkeypatch.setenv("BENCH_PROJECT", str(tmp_path))
    journal = tmp_path / "run.journal"

    def identity(task: Any) -> Identity:
        return Session(1.0, asked=Asked(task=task))._identity(MACHINE, [])

    theirs = played.declared(NETWORK, 4)
    assert identity(None).project == {}
    Journal(journal, identity(theirs)).close()
    assert read_journal(journal, identity(theirs)) == []
    (tmp_path / "acme" / "net.py").write_text("print()", encoding="utf-8")
    with pytest.raises(UserError, match=r"cannot resume .*: changed since: acme/net\.py; run without"):
        read_journal(journal, identity(theirs))
