"""Whose network is measured: by the option, the current folder's pyproject.toml, or the tutorial's."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.machine.interpreter import PROJECT
from bench.questions.question import Asked, Question, Settings
from bench.records.declared import Declared
from bench.records.run import CONTROL, Case, Run
from mtl_core.errors import UserError

TUTORIAL = "tutorial"  # as a network: the suite's own, whatever pyproject.toml says
TABLE = "[tool.mtl-bench]"
GOLDEN = "mtl-bench.golden.json"
NetworkOption = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="MODULE:FACTORY",
        help="A network declared in the current folder, such as acme.bench:task; "
        "'tutorial' for the tutorial's where pyproject.toml names another.",
    ),
]
BATCH_SIZE = 32  # samples, where nothing else is said


@dataclass(frozen=True)
class Network:
    """A declared network, and how many samples a batch of it has."""

    name: str  # "acme.bench:task"
    batch_size: int = BATCH_SIZE


@dataclass(frozen=True)
class Asking:
    """A question as a run takes it: like a benchmark module."""

    QUESTION: Question
    __file__: str
    task: Declared | None = None  # whose network it is asked of


def configured(folder: Path) -> dict[str, Any]:
    """The table of the suite in a folder's pyproject.toml; empty where there is none. Raises UserError."""
    from bench.gate.environments import suite_table

    return suite_table(folder)


def network_of(option: str | None, batch_size: int | None, folder: Path | None = None) -> Network | None:
    """The network that is meant; None for the tutorial's. Raises UserError for what cannot be one."""
    folder = folder or Path.cwd()
    table = {} if option is not None else configured(folder)
    name, where = (
        (option, "--network") if option is not None else (table.get("network"), f"network in {TABLE}")
    )
    if name is None or name == TUTORIAL:
        return None
    if not isinstance(name, str) or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", name):
        raise UserError(f"{where} is {name!r}; expected module:factory, such as acme.bench:task")
    size = configured(folder).get("batch-size", BATCH_SIZE) if batch_size is None else batch_size
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UserError(f"batch-size in {TABLE} is {size!r}; expected a whole number of at least 1")
    os.environ[PROJECT] = str(folder.resolve())
    return Network(name, size)


def golden_of(folder: Path) -> Path:
    """Where a network's exact counts are kept, in the user's repository."""
    place = configured(folder).get("golden", GOLDEN)
    if not isinstance(place, str):
        raise UserError(f"golden in {TABLE} is {place!r}; expected the path of a file")
    return folder / place


def steps_of(network: Network) -> dict[str, Case]:
    """A step in each mode that the network has, as the counters take them."""
    (asking,) = asked_of(network, ["hybridize"])
    (group,) = [group for group in asking.QUESTION.groups() if group.part == "step"]
    return {f"step/{name}": case for name, case in group.cases.items() if name != CONTROL}


def names_of(names: list[str]) -> list[str]:
    """The questions chosen, each once; without a name all that need none. Raises UserError for others."""
    from bench.benchmarks.of_task import BY_NAME, QUESTIONS

    for name in names:
        if name not in QUESTIONS:
            near = difflib.get_close_matches(name, QUESTIONS, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UserError(
                f"no question of a network is named {name!r:.60}; {meant}"
                f"expected one of {', '.join(QUESTIONS)}"
            )
    return list(dict.fromkeys(names)) or [name for name in QUESTIONS if name not in BY_NAME]


def asked_for(network: Network, asked: Asked, task: Declared | None) -> Asked:
    """The same, told whose network it is asked of."""
    settings: Settings = {"network": network.name, "batch_size": network.batch_size}
    return replace(asked, settings=settings, task=task)


def asked_of(network: Network, names: list[str]) -> list[Asking]:
    """Build and try the network in a worker, and the chosen questions of what it turned out to be."""
    from bench.benchmarks import of_task
    from bench.harness.declaring import declared, sizes_of

    typer.echo(f"building and trying {network.name} ...", err=True)
    task = declared(network.name, network.batch_size)
    sizes, left_out = sizes_of(task) if "batch_size" in names else ([], "")
    basis = of_task.Basis(task=replace(task, larger_left_out=left_out), sizes=sizes)
    return [Asking(of_task.QUESTIONS[name](basis), str(of_task.__file__), basis.task) for name in names]


def questions_of(run: Run) -> list[Question] | None:
    """The questions of the network that a run measured, to answer it anew; None for the tutorial's."""
    from bench.benchmarks import of_task

    if run.declared is None:
        return None
    sizes = [m.images for name, m in run.measured.get("batch_size/step", {}).items() if name != CONTROL]
    basis = of_task.Basis(task=run.declared, sizes=sizes)
    return [question(basis) for question in of_task.QUESTIONS.values()]
