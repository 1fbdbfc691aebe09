"""Ask the questions of a task, and hold runs against each other."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.api.names import Named, imported_from, name_of, place_of, whole
from bench.api.notebook import ShownComparison, ShownRun, shown_as
from bench.api.progress import shown
from bench.commands.network import BATCH_SIZE, asked_for, asked_of, names_of, network_of
from bench.commands.run import as_asked, chosen
from bench.commands.under_pytest import in_file, measure_under_pytest
from bench.comparison.runs import compare as compared
from bench.harness.session import Session
from bench.machine.preflight import preflight
from bench.questions.durations import parse_duration
from bench.questions.question import Asked
from bench.questions.shares import parse_share
from bench.records.defaults import BUDGET, QUICK_BUDGET, SEED
from bench.records.run import Run
from bench.results.run_file import read_run
from mtl_core.errors import NothingMeasuredError, UserError
from mtl_core.program.files import check_place, write_whole

Place = str | os.PathLike[str]
MEASURING = threading.Lock()


def run(
    task: Named | None = None,
    *questions: str,
    budget: str | None = None,
    quick: bool = False,
    batch_size: int | None = None,
    threads: int | None = None,
    seed: int = SEED,
    json: Place | None = None,
    folder: Place | None = None,
) -> ShownRun:
    """Ask the questions of a task, all without a name, as ``bench run`` does; the run with its answers.

    ``task`` is ``"acme.bench:task"`` or that function, seen from ``folder`` (the current one without);
    without a task it is the one that pyproject.toml names there, else the tutorial's network, as
    ``"tutorial"`` always is. ``budget`` is a time such as ``"90s"`` for everything. ``json`` is where a
    result file goes as well. Raises UserError for bad input, NothingMeasuredError where all of it failed.
    """
    place = place_of(json, "json")
    if place is not None:
        check_place(place, "json")
    budget_s = parse_duration(budget or (QUICK_BUDGET if quick else BUDGET), "budget")
    names = list(questions)
    batch_size, threads = whole("batch_size", batch_size), whole("threads", threads)
    with imported_from(folder) as here:
        network = network_of(name_of(task), batch_size, here)
        if network is None:
            modules = chosen(names)
            asked = as_asked(modules, quick, {"batch_size": batch_size}, threads)
        else:
            modules = list(asked_of(network, names_of(names)))
            asked = asked_for(network, as_asked([], quick, {}, threads), modules[0].task)
        return measured(modules, asked, budget_s, seed, place)


def measured(
    modules: Sequence[Any], asked: Asked, budget_s: float, seed: int, place: Path | None
) -> ShownRun:
    """Measure what the modules ask, showing how far it is; the results are written to ``place`` too."""
    reasons = {module.QUESTION.name: module.QUESTION.skipped() for module in modules}
    if all(reasons.values()):
        raise UserError("; ".join(f"{name}: not measured here: {why}" for name, why in reasons.items()))
    size = asked.settings.get("batch_size")
    for line in preflight(asked.environment, size if isinstance(size, int) else BATCH_SIZE):
        print(f"before measuring: {line}", file=sys.stderr)
    seed = whole("seed", seed, least=0) or 0
    if not MEASURING.acquire(blocking=False):
        raise UserError("another run is under way in this process, and they would disturb each other: wait")
    try:
        with shown() as show:
            session = Session(budget_s, seed, asked=asked, show=show, say=show.say)
            ended = measure_under_pytest(modules, session)
    finally:
        MEASURING.release()
    if ended.interrupted:
        raise KeyboardInterrupt
    if ended.run is None:
        raise ended.refused or RuntimeError(ended.said)
    if ended.document is None:
        failures = "; ".join(failure.summary for failure in ended.run.failures)
        raise NothingMeasuredError(f"nothing could be measured: {failures}")
    if place is not None:
        content = in_file(ended.document)
        write_whole(place, lambda file: file.write(content), "json")
    return shown_as(ShownRun, ended.run, name="" if place is None else place.name)


def compare_runs(
    first: Run | Place,
    second: Run | Place,
    *more: Run | Place,
    tolerance: str = "2%",
    drift: str = "5%",
) -> ShownComparison:
    """Hold runs, or result files, against the first one, as ``bench compare`` does.

    ``tolerance`` is what is called the same, ``drift`` what a machine may drift between runs. Raises
    UserError for a file that is no result, and for runs that share nothing.
    """
    runs = [_run(given, number) for number, given in enumerate((first, second, *more), 1)]
    comparison = compared(runs, parse_share(tolerance, "tolerance"), parse_share(drift, "drift"))
    return shown_as(ShownComparison, comparison)


def _run(given: Run | Place, number: int) -> Run:
    if not isinstance(given, Run):
        if not isinstance(given, (str, os.PathLike)):
            raise UserError(f"run {number} is a {type(given).__name__}; expected a run, or a result file")
        return read_run(Path(given))
    return given if given.name else msgspec.structs.replace(given, name=f"run {number}")
