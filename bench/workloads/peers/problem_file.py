"""The problem in a file: written once by whoever comes first, read by every peer."""

from __future__ import annotations

import fcntl
import hashlib
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from bench.workloads.peers import problem as drawing
from bench.workloads.peers import rule as rules
from bench.workloads.peers.problem import Array, Check, Departure, Point, Problem, State, draw, shapes
from mtl_core import reference
from mtl_core.data import synthetic
from mtl_core.platform.cache import cache
from mtl_core.platform.on_disk import replace_whole

SOURCES = (drawing, rules, reference, synthetic)  # what the numbers follow from
STATE = ("parameters", "means", "variances")


def problem_for(batch_size: int, folder: Path | None = None) -> Problem:
    """The problem with batches of this size, from its file; drawn and written where there is none yet."""
    place = place_of(batch_size, folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "problem.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # peers that start side by side draw it once
        try:
            return read(place)
        except (OSError, ValueError, KeyError, BadZipFile):  # not there yet, or damaged
            write(draw(batch_size), place)
    return read(place)


def place_of(batch_size: int, folder: Path | None = None) -> Path:
    """The file's place; another one where anything changed that the numbers follow from."""
    digest = hashlib.sha256(str(batch_size).encode())
    for module in SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return (folder or cache("peers")) / f"problem-{digest.hexdigest()[:16]}.npz"


def write(problem: Problem, place: Path) -> None:
    """Write it whole or not at all. Raises OSError."""
    replace_whole(place, lambda file: np.savez(file, **_packed(problem)))


def read(place: Path) -> Problem:
    """The problem that a file holds. Raises OSError, ValueError, KeyError or BadZipFile for what is none."""
    with np.load(place, allow_pickle=False) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    entries = json.loads(str(held["checks"]))
    return Problem(
        images=held["images"],
        labels=held["labels"],
        parameters=_split(held["parameters"]),
        checks={rule: [_check(held, each) for each in checks] for rule, checks in entries.items()},
    )


def _packed(problem: Problem) -> dict[str, Any]:
    """Arrays by name; parameters as one flat array, what is no array as JSON."""
    packed = {
        "images": problem.images,
        "labels": problem.labels,
        "parameters": _flat(problem.parameters),
    }
    entries: dict[str, list[dict[str, Any]]] = {}
    for rule, checks in problem.checks.items():
        for check in checks:
            name = f"{rule}/{check.steps}"
            packed |= _state(f"{name}/arrived", check.arrived.state)
            packed[f"{name}/losses"] = check.arrived.losses
            if check.start:
                packed |= _state(f"{name}/start", check.start)
            entries.setdefault(rule, []).append(
                {
                    "name": name,
                    "steps": check.steps,
                    "from": check.start and check.start.updates,
                    "allowed": [check.allowed.parameters, check.allowed.losses],
                    "nearest": check.nearest,
                }
            )
    packed["checks"] = np.array(json.dumps(entries))
    return packed


def _check(held: dict[str, Any], entries: dict[str, Any]) -> Check:
    name, steps, begins = entries["name"], entries["steps"], entries["from"]
    return Check(
        steps=steps,
        start=None if begins is None else _state_in(held, f"{name}/start", begins),
        arrived=Point(_state_in(held, f"{name}/arrived", steps), held[f"{name}/losses"]),
        allowed=Departure(*entries["allowed"]),
        nearest=entries["nearest"],
    )


def _state(name: str, state: State) -> dict[str, Array]:
    return {f"{name}/{part}": _flat(getattr(state, part)) for part in STATE}


def _state_in(held: dict[str, Any], name: str, updates: int) -> State:
    parameters, means, variances = (_split(held[f"{name}/{part}"]) for part in STATE)
    return State(parameters, means, variances, updates)


def _flat(arrays: list[Array]) -> Array:
    return np.concatenate([array.ravel() for array in arrays])


def _split(flat: Array) -> list[Array]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes()])
    if flat.shape != (ends[-1],):
        raise ValueError(f"{flat.shape} numbers; expected those of the network's parameters, {ends[-1]}")
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes(), strict=True)]
