"""A run under pytest and pytest-benchmark: what came out, its file, and the journal while it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from bench.commands.under_pytest import Ended, in_file, measure_under_pytest
from bench.questions.question import Asked
from bench.records.defaults import RESULTS
from bench.records.run import Run
from bench.records.tutorial import BATCH_SIZE
from bench.results.growing import taken
from bench.results.journal import WHAT, finished_in
from mtl_core.program.files import NotWrittenError, check_place, write_new, write_whole

JOURNAL = RESULTS / "run.journal"
COSTS = RESULTS / "set-ups.costs"  # seconds that they took, for the next run's plan
RESULT = "the result file"  # where no --json names one


@dataclass(frozen=True)
class Files:
    """The files of a run."""

    results: Path | None  # None: named by the time of day in RESULTS
    journal: Path
    resume: bool  # what the journal holds
    again: Callable[[Path], str]  # the command to go on with a journal

    def check(self) -> None:
        """Raise UserError for what could not be written, before anything is measured."""
        of_journal = WHAT if self.journal != JOURNAL else JOURNAL_HERE
        check_place(self.journal, of_journal, grows=True)
        check_place(self.results or RESULTS / "x.json", "--json" if self.results else RESULT)

    def write(self, content: bytes) -> Path:
        """Keep the results; where they lie then. Raises NotWrittenError."""
        if self.results is None:
            place = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
            return write_new(place, lambda file: file.write(content), RESULT)
        write_whole(self.results, lambda file: file.write(content), "--json")
        return self.results


JOURNAL_HERE = "the journal of a run, which is in the current folder,"


@dataclass(frozen=True)
class Outcome:
    """What came out of a run."""

    run: Run
    measured: bool  # anything at all
    place: Path | None  # where the results lie
    lost: str | None  # what to say where that is not where they should be


def measure(
    modules: list[Any],
    budget_s: float,
    asked: Asked,
    seed: int,
    files: Files,
    *,
    project: Path | None = None,
    keep_diff: bool = False,
) -> Outcome:
    """Run the chosen modules under pytest and pytest-benchmark; the results are kept, whatever the disk says.

    Raises UserError for what is refused, and KeyboardInterrupt once the way to go on is told.
    """
    from bench.commands import progress
    from bench.harness.session import Session
    from bench.machine.preflight import preflight

    files.check()
    with progress.shown() as show:
        session = Session(
            budget_s,
            seed,
            files.journal,
            files.resume,
            asked,
            show,
            project=project,
            keep_diff=keep_diff,
            say=show.say,
            costs=COSTS,
        )
        if files.journal.exists():
            make_room(files)
        for line in preflight(asked.environment, _batch_size(asked)):
            typer.echo(f"before measuring: {line}", err=True)
        ended = measure_under_pytest(modules, session)
    journal = session.journal
    try:
        if ended.run is None:
            raise ended.refused or _why_nothing(ended, journal.path if journal else files.journal, files)
        outcome = _kept(ended.run, ended.document, files, journal.path if journal else None)
        if journal and (outcome.place or not outcome.measured):
            journal.remove()
        return outcome
    finally:
        session.close_journal()


def _kept(run: Run, document: dict[str, Any] | None, files: Files, journal: Path | None) -> Outcome:
    if document is None:
        return Outcome(run, measured=False, place=None, lost=None)
    try:
        return Outcome(run, measured=True, place=files.write(in_file(document)), lost=None)
    except NotWrittenError as error:
        go_on = ""
        if journal and not error.kept:
            go_on = f"; all that was measured is in {journal}: make room, then {files.again(journal)}"
        return Outcome(run, measured=True, place=error.kept, lost=f"{error}{go_on}")


def _put_aside(journal: Path) -> Path:
    """Rename a journal to the first name that is free, so that none is written over."""
    number = 1
    while (kept := journal.with_name(f"{journal.name}.old.{number}")).exists():
        number += 1
    return journal.replace(kept)


def make_room(files: Files) -> None:
    """Put the journal of an interrupted run out of a new one's way, or away where nothing was finished.

    Raises UserError where the run that writes it is under way, and for what is no journal.
    """
    journal = files.journal
    with taken(journal, WHAT):
        if files.resume:
            return
        if not finished_in(journal):
            journal.unlink()
            return
        kept = _put_aside(journal)
    typer.echo(
        f"an interrupted run was not resumed; its journal is kept as {kept}: go on with it by "
        f"{WHAT} {kept} --resume, or remove it",
        err=True,
    )


def _batch_size(asked: Asked) -> int:
    """Images a batch of the loaders that are measured, the tutorial's where nothing else was asked for."""
    size = asked.settings.get("batch_size", BATCH_SIZE)
    return size if isinstance(size, int) else BATCH_SIZE


def _why_nothing(ended: Ended, journal: Path, files: Files) -> BaseException:
    """What to raise when pytest came back without an outcome."""
    if ended.interrupted:
        again = f"; what was finished is in {journal}, go on with\n  {files.again(journal)}"
        typer.echo(f"stopped{again if journal.exists() else ''}", err=True)
        return KeyboardInterrupt()
    return RuntimeError(ended.said)
