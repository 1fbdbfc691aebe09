"""Result files: pytest-benchmark's JSON with our block in it, written from a Run and read back into one.

What a file says of ratios and intervals is never believed but computed again from its raw rounds, so
that files of every age are analysed alike. Schemas: 1 had no ``block`` and ``invocation`` in a set-up
(their order stood for it) and no ``baseline`` in an entry; 2 has both.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.answers import measured
from bench.endless import endless, finite
from bench.records import (
    SCHEMA,
    Answer,
    Block,
    Case,
    Ceilings,
    Failure,
    Machine,
    Measured,
    Ratio,
    Run,
    SetUp,
)
from bench.stats import geometric, inverse
from mtl_core.errors import UserError

BLOCK = "mtl_bench"  # the key of our block in pytest-benchmark's JSON
LARGEST_FILE = 200 * 2**20  # bytes; a result file is a few MB


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Our block at the top of a file."""

    schema: int
    machine: Machine
    ceilings: Ceilings
    settings: dict[str, str]
    answers: list[Answer] = []
    warnings: list[str] = []
    failures: list[Failure] = []
    spent_s: float = 0.0


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Our block in the entry of one variant: what it is, and its raw samples."""

    case: Case
    set_ups: list[SetUp]
    baseline: str | None = None  # the variant's name; schema 1: the one without an effect
    effect: Any = None


def header(run: Run) -> dict[str, Any]:
    """What stands under our key at the top of a result file."""
    assert run.machine is not None and run.ceilings is not None
    told = Header(
        schema=SCHEMA,
        machine=run.machine,
        ceilings=run.ceilings,
        settings=run.settings,
        answers=run.answers,
        warnings=run.warnings,
        failures=run.failures,
        spent_s=run.spent_s,
    )
    more = {
        "machine_class": run.machine.class_key,
        "build": {n: getattr(run.ceilings, n) for n in ("mxnet", "numpy", "features", "libraries")},
        "source": run.machine.source,
    }
    whole: dict[str, Any] = finite({**msgspec.to_builtins(told), **more})
    return whole


def entry(run: Run, group: str, variant: str) -> dict[str, Any]:
    """What stands under our key in the entry of one variant."""
    known = run.measured[group][variant]
    effect = known.effect
    set_ups = [block.set_ups[variant] for block in run.blocks[group] if variant in block.set_ups]
    told: dict[str, Any] = {
        "case": known.case,
        "baseline": (effect.baseline if effect else known.case.name).rsplit("/", 1)[-1],
        "images": known.images,
        "images_per_s": known.images_per_s,
        "iteration_s": known.iteration_s,
        "first_call_s": known.first_call_s,
        "facts": known.facts,
        "effect": None if effect is None else _effect(effect),
        "verdict": None if effect is None else effect.verdict,
        "set_ups": set_ups,
    }
    whole: dict[str, Any] = finite(msgspec.to_builtins(told))
    return whole


def _effect(ratio: Ratio) -> dict[str, float]:
    """Time of the variant over time of its baseline, with the interval that holds it."""
    found = ratio.estimate
    ends = {"low": found.low, "high": found.high, "confidence": found.confidence}
    return {"ratio": found.value, **ends, "n": found.n}


def read_run(path: Path) -> Run:
    """The run in a result file, its statistics computed anew.

    Raises UserError, naming the file and what is wrong with it, for anything that is not one.
    """
    document = _document(path)
    stamp = document.get("datetime")
    stamp = stamp if isinstance(stamp, str) else None
    try:
        if BLOCK not in document:
            return Run(
                name=path.name, measured_at=stamp, schema=None, measured=_foreign(document["benchmarks"])
            )
        return _ours(document, path.name, stamp)
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: damaged or not of this suite ({error}); measure again") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: its samples do not fit together ({error}); measure again") from None


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise UserError(f"{path} is larger than {LARGEST_FILE >> 20} MB: no result file")
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); give a result file") from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deep"
        raise UserError(f"{path} is not JSON or cut off ({reason}); measure again") from None
    if not isinstance(document, dict) or not isinstance(document.get("benchmarks"), list):
        raise UserError(f"{path} is no result of pytest-benchmark: it lists no benchmarks")
    return document


def _ours(document: dict[str, Any], name: str, stamp: str | None) -> Run:
    schema = document[BLOCK].get("schema")
    if not isinstance(schema, int) or schema > SCHEMA:
        raise ValueError(f"schema {schema!r}, while this version reads up to {SCHEMA}")
    told = msgspec.convert(endless(document[BLOCK]), Header)
    blocks_of = [b["extra_info"][BLOCK] for b in document["benchmarks"] if BLOCK in b.get("extra_info", {})]
    entries = [msgspec.convert(found, Entry) for found in blocks_of]
    if schema == 1:
        entries = [_numbered(found) for found in entries]
    groups: dict[str, list[Entry]] = {}
    for found in entries:
        groups.setdefault(found.case.group, []).append(found)
    blocks = {group: _blocks(group, members) for group, members in groups.items()}
    return Run(
        name=name,
        measured_at=stamp,
        schema=schema,
        machine=told.machine,
        ceilings=told.ceilings,
        settings=told.settings,
        answers=told.answers,
        warnings=told.warnings,
        failures=told.failures,
        spent_s=told.spent_s,
        measured={group: _measured(members, blocks[group]) for group, members in groups.items()},
        blocks=blocks,
    )


def _numbered(found: Entry) -> Entry:
    """An entry of schema 1: its set-ups were interleaved in the order in which they stand."""
    set_ups = [msgspec.structs.replace(s, block=number) for number, s in enumerate(found.set_ups)]
    baseline = found.case.variant if found.effect is None else None
    return msgspec.structs.replace(found, set_ups=set_ups, baseline=baseline)


def _blocks(group: str, members: list[Entry]) -> list[Block]:
    """The set-ups of a group put together again as they were interleaved."""
    together: dict[int, dict[str, SetUp]] = {}
    for member in members:
        for set_up in member.set_ups:
            together.setdefault(set_up.block, {})[member.case.variant] = set_up
    return [
        Block(
            group=group,
            invocation=min(s.invocation for s in set_ups.values()),
            index=number,
            seconds=sum(r.seconds for s in set_ups.values() for r in (*s.warm_up, *s.rounds)),
            set_ups=set_ups,
        )
        for number, set_ups in sorted(together.items())
    ]


def _measured(members: list[Entry], blocks: list[Block]) -> dict[str, Measured]:
    baseline = next((m.baseline for m in members if m.baseline), members[0].case.variant)
    return measured({m.case.variant: m.case for m in members}, baseline, blocks)


def _foreign(benchmarks: list[dict[str, Any]]) -> dict[str, dict[str, Measured]]:
    """What a file of pytest-benchmark alone tells: rounds of one process, so no interval at all."""
    found: dict[str, dict[str, Measured]] = {}
    for told in benchmarks:
        group, name = str(told.get("group") or "ungrouped"), str(told["fullname"])
        seconds = float(told["stats"]["median"])
        if not 0 < seconds < math.inf:
            raise ValueError(f"median of {name} is {seconds}")
        iteration = geometric(np.log([seconds]))
        found.setdefault(group, {})[name] = Measured(
            case=Case(question=group, part="", variant=name, workload="", settings={}),
            images=1,
            iteration_s=iteration,
            images_per_s=inverse(iteration),
            first_call_s=iteration,
            facts={},
            effect=None,
            extra_first_call_s=None,
            course=[],
            times_s=[seconds],
            course_facts=[],
        )
    return found
