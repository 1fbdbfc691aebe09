"""The problem in a file: written once by whoever comes first, read by every peer."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from bench.workloads.peers import problem as drawing
from bench.workloads.peers import rule as rules
from bench.workloads.peers.problem import (
    Array,
    Check,
    Departure,
    Point,
    Problem,
    State,
    batches,
    draw,
    shapes,
)
from mtl_core import reference
from mtl_core.config import NetworkConfig
from mtl_core.data import synthetic
from mtl_core.errors import UserError
from mtl_core.platform.cache import cache
from mtl_core.platform.on_disk import (
    DAMAGED_ARCHIVE,
    ForeignError,
    content,
    json_object,
    replace_whole,
    unpacked,
)

SOURCES = (drawing, rules, reference, synthetic)  # what the numbers follow from
STATE = ("parameters", "means", "variances")
LARGEST_CHECKS = 256 * 2**20  # bytes of all states; those of two rules take some 60 MB
MOST_ARRAYS = 500  # some 90 are written
MOST_STEPS = 1000  # 100 are written
EXPECTED = "expected a problem that peers are compared by"


def problem_for(batch_size: int, folder: Path | None = None) -> Problem:
    """The problem with batches of this size, from its file; drawn and written where there is none yet."""
    place = place_of(batch_size, folder)
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / "problem.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # peers that start side by side draw it once
        try:
            return read(place, batch_size)
        except UserError:  # not there yet, or damaged
            write(draw(batch_size), place)
    return read(place, batch_size)


def place_of(batch_size: int, folder: Path | None = None) -> Path:
    """The file's place; another one where anything changed that the numbers follow from."""
    digest = hashlib.sha256(str(batch_size).encode())
    for module in SOURCES:
        digest.update(Path(str(module.__file__)).read_bytes())
    return (folder or cache("peers")) / f"problem-{digest.hexdigest()[:16]}.npz"


def write(problem: Problem, place: Path) -> None:
    """Write it whole or not at all. Raises OSError."""
    replace_whole(place, lambda file: np.savez(file, **_packed(problem)))


def read(place: Path, batch_size: int) -> Problem:
    """The problem with batches of this size that a file holds.

    Raises UserError for what is missing, no file, too large, damaged or another problem.
    """
    largest = LARGEST_CHECKS + 4 * (NetworkConfig.inputs + 2) * batch_size * batches(batch_size)
    raw = content(place, largest, EXPECTED)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, of headers as Python 2 wrote them
            return _problem(_arrays(raw, largest), batch_size)
    except DAMAGED_ARCHIVE:  # no word of NumPy's, which recommends unpickling
        raise UserError(f"{place} is damaged; {EXPECTED}") from None


def _arrays(raw: bytes, largest: int) -> dict[str, Array]:
    """The archive's arrays by name."""
    members = unpacked(raw, MOST_ARRAYS, largest)
    read_array: Any = np.lib.format.read_array  # NumPy has no types for it
    return {name: read_array(io.BytesIO(member), allow_pickle=False) for name, member in members.items()}


def _problem(held: dict[str, Array], batch_size: int) -> Problem:
    images, labels, entries = held["images"], held["labels"], json_object(str(held["checks"]).encode())
    count = batches(batch_size)
    if images.shape != (count, batch_size, NetworkConfig.inputs) or labels.shape != (2, count, batch_size):
        raise ForeignError("batches of another number or size")
    if set(entries) != set(rules.RULES) or not all(
        array.dtype.kind == "f" and np.isfinite(array).all()
        for name, array in held.items()
        if name != "checks"
    ):
        raise ForeignError("other rules, or what is no number")
    return Problem(
        images=images,
        labels=labels,
        parameters=_split(held["parameters"]),
        checks={rule: [_check(held, each) for each in entries[rule]] for rule in rules.RULES},
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
    name, steps, begins = entries["name"], int(entries["steps"]), entries["from"]
    allowed = Departure(*map(float, entries["allowed"]))
    if not 1 <= steps <= MOST_STEPS or not all(0 <= each < math.inf for each in vars(allowed).values()):
        raise ForeignError("no number of steps, or a bound that is none")
    if held[f"{name}/losses"].shape != (2,):
        raise ForeignError("losses of other heads")
    return Check(
        steps=steps,
        start=None if begins is None else _state_in(held, f"{name}/start", int(begins)),
        arrived=Point(_state_in(held, f"{name}/arrived", steps), held[f"{name}/losses"]),
        allowed=allowed,
        nearest=str(entries["nearest"]),
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
