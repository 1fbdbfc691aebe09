"""Two tasks, or two settings of one, measured in turns: is this one faster than that one?"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.answers.heads import in_words
from bench.answers.modes import something_else
from bench.answers.two import which_is_faster
from bench.api.names import Named, imported_from, name_of, place_of, variables, whole
from bench.api.notebook import ShownRun
from bench.api.runs import Place, measured
from bench.benchmarks import of_task
from bench.commands.network import Asking, Network, network_of
from bench.harness.declaring import declared
from bench.questions.durations import parse_duration
from bench.questions.question import Asked, Part, Question, Results, Settings, Variant
from bench.records.declared import Declared, Difference
from bench.records.defaults import SEED
from mtl_core.config import MODES
from mtl_core.errors import UserError
from mtl_core.platform.gpu_choice import DEVICE
from mtl_core.program.files import check_place

SETTINGS = ("task", "mode", "heads", "batch_size", "device", "threads", "environment")
BUDGET = "30s"


@dataclass(frozen=True)
class Contender:
    """One of the two: whose network, and what is set for it."""

    network: Network
    settings: Settings = field(default_factory=dict)  # mode, heads, device, where they were given
    environment: dict[str, str] = field(default_factory=dict)
    task: Declared | None = None  # what the network turned out to be

    @property
    def whole_settings(self) -> Settings:
        """What its workload is built with."""
        return {**self.settings, "network": self.network.name, "batch_size": self.network.batch_size}

    @property
    def apart(self) -> Difference | None:
        """How its mode computes other numbers than the imperative one; None where it does not."""
        return self.task.differs.get(str(self.settings.get("mode"))) if self.task else None

    @property
    def departs(self) -> str:
        """The same in words, for the table; empty where it does not."""
        return self.apart.in_words if self.apart else ""

    @property
    def parts(self) -> dict[str, str]:
        """What tells it from the other, in words."""
        heads = self.settings.get("heads")
        parts = {
            "network": self.network.name,
            "mode": str(self.settings.get("mode", "")),
            "heads": " and ".join(heads) if isinstance(heads, list) else "",
            "device": str(self.settings.get("device", "")),
            "batch_size": f"batches of {self.network.batch_size}",
        }
        return {**parts, **{name: f"{name}={value}" for name, value in self.environment.items()}}


def compare(
    one: Named | Mapping[str, Any],
    other: Named | Mapping[str, Any],
    *,
    budget: str = BUDGET,
    batch_size: int | None = None,
    seed: int = SEED,
    json: Place | None = None,
    folder: Place | None = None,
) -> ShownRun:
    """Measure two tasks or two settings in turns; a run whose answer is how much faster the other is.

    Each is a task as :func:`bench.api.run` takes it, or a dict of what is set: ``task``, ``mode`` (one of
    ``imperative``, ``hybridized``, ``static``, ``whole_graph``), ``heads`` (a list), ``batch_size``
    (samples), ``device``, ``threads`` and ``environment`` (a dict of variables for its workers). What
    one does not set is the other's, or usual. ``budget`` is a time for everything. Raises UserError for
    bad input and where the two are the same.
    """
    place = place_of(json, "json")
    if place is not None:
        check_place(place, "json")
    budget_s = parse_duration(budget, "budget")
    with imported_from(folder) as here:
        sides = _tried(_sides([_given(one), _given(other)], batch_size, here))
        question = _question(dict(zip(_labels(sides), sides, strict=True)))
        return measured([Asking(question, str(of_task.__file__))], Asked(), budget_s, seed, place)


def _given(side: Named | Mapping[str, Any]) -> dict[str, Any]:
    """What was set for a side, by name. Raises UserError for a setting that there is not."""
    if not isinstance(side, Mapping):
        return {"task": side}
    for name in side:
        if name not in SETTINGS:
            raise UserError(f"no setting is named {name!r}; expected some of {', '.join(SETTINGS)}")
    return dict(side)


def _sides(given: list[dict[str, Any]], batch_size: int | None, here: Path) -> list[Contender]:
    """Both, where each takes from the other whose network it is."""
    tasks = [side.get("task") for side in given]
    if tasks[0] is None or tasks[1] is None:
        tasks = [next((task for task in tasks if task is not None), None)] * 2
    return [_side(side, task, batch_size, here) for side, task in zip(given, tasks, strict=True)]


def _side(given: dict[str, Any], task: Named | None, batch_size: int | None, here: Path) -> Contender:
    size = whole("batch_size", given.get("batch_size", batch_size))
    network = network_of(name_of(task), size, here)
    if network is None:
        raise UserError("compare takes a declared task, such as 'acme.bench:task', on one side at least")
    settings: Settings = {name: given[name] for name in ("mode", "device") if name in given}
    if settings.get("mode", MODES[0]) not in MODES:
        raise UserError(f"mode is {settings['mode']!r}; expected one of {', '.join(MODES)}")
    device = settings.get("device", "cpu")
    if not isinstance(device, str) or not re.fullmatch(DEVICE, device):
        raise UserError(f"device is {device!r:.40}; expected cpu, gpu, cpu(1), gpu(1) ...")
    if given.get("heads") is not None:
        settings["heads"] = _heads(given["heads"])
    environment = variables(given.get("environment", {}))
    if whole("threads", given.get("threads")):
        environment["OMP_NUM_THREADS"] = str(given["threads"])
    return Contender(network, settings, environment)


def _heads(heads: object) -> list[str]:
    if not isinstance(heads, (list, tuple)) or not heads or not all(isinstance(head, str) for head in heads):
        raise UserError(f"heads are {heads!r}; expected a list of names")
    return list(heads)


def _labels(sides: list[Contender]) -> list[str]:
    """What each is called: what it has that the other has not. Raises UserError where that is nothing."""
    parts = [side.parts for side in sides]
    names = list(dict.fromkeys(name for side in parts for name in side))
    apart = [name for name in names if parts[0].get(name) != parts[1].get(name)]
    if not apart:
        raise UserError(f"both sides are {sides[0].network.name} with the same settings: nothing to compare")
    usual = {"heads": "all heads", "device": "cpu"}
    labels = [
        ", ".join(side.get(name) or usual.get(name, f"{name} unset") for name in apart).replace("/", ":")
        for side in parts
    ]
    return labels


def _tried(sides: list[Contender]) -> list[Contender]:
    """Both with what their networks turned out to be, each built and tried once, and with their modes."""
    tasks: dict[Network, Declared] = {}
    for side in sides:
        if side.network not in tasks:
            print(f"building and trying {side.network.name} ...", file=sys.stderr)
            tasks[side.network] = declared(side.network.name, side.network.batch_size)
        _check(side, tasks[side.network])
    # Where one computes something else when hybridized, neither is: what is compared runs alike.
    alike = all(task.best_mode == "hybridized" for task in tasks.values())
    usual = "hybridized" if alike else "imperative"
    return [
        replace(side, settings={"mode": usual, **side.settings}, task=tasks[side.network]) for side in sides
    ]


def _check(side: Contender, task: Declared) -> None:
    mode, heads = side.settings.get("mode"), side.settings.get("heads")
    if mode in task.impossible:
        raise UserError(f"{task.network}: {mode} is not possible: {task.impossible[str(mode)]}")
    if not isinstance(heads, list):
        return
    for head in heads:
        if head not in task.heads:
            raise UserError(f"{task.network} has no head {head!r}; expected some of {', '.join(task.heads)}")
    if not task.takes_heads:
        name = task.network.partition(":")[2]
        raise UserError(f"{task.network} takes no heads; write it as def {name}(heads=None)")


def _question(sides: Mapping[str, Contender]) -> Question:
    """Is the second faster than the first?"""
    first, second = sides
    tasks = {label: side.task for label, side in sides.items() if side.task is not None}

    def answer(results: Results) -> list[str]:
        wrong = [something_else(str(s.settings["mode"]), s.apart) for s in sides.values() if s.apart]
        said_of = [in_words(task) for task in tasks.values()]
        return [*which_is_faster(results, first, second, tasks), *dict.fromkeys([*wrong, *said_of])]

    return Question(
        name="compare",
        asks=f"Is {second} faster than {first}?",
        workload=of_task.STEP,
        parts={part: Part(settings={"part": part}) for part in ("step", "forward")},
        headline="step",
        variants={
            label: Variant(settings=side.whole_settings, environment=side.environment, departs=side.departs)
            for label, side in sides.items()
        },
        baseline=first,
        answer=answer,
    )
