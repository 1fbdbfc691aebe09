"""Result files: pytest-benchmark's JSON with our block in it, written from a Run and read back into one.

What a file says of ratios and intervals is never believed but computed again from its raw rounds, so
that files of every age are analysed alike. Two of its nulls are no gap: a ``verdict`` where an iteration
does other work than the baseline's, of which no ratio of times decides, and the ``confidence`` of a fit
that is the plain range over the set-ups. Schemas: 1 had no ``block`` and ``invocation`` in a set-up
(their order stood for it) and no ``baseline`` in an entry; 2 has both.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.records.changes import Changes
from bench.records.declared import Declared
from bench.records.infinities import PLAIN_RANGE, endless, finite
from bench.records.run import (
    SCHEMA,
    Answer,
    Block,
    Case,
    Ceilings,
    Estimate,
    Failure,
    Machine,
    Measured,
    Ratio,
    Run,
    SetUp,
    Verdict,
    Weather,
)
from bench.results.plausible import (
    DamagedError,
    check_estimates,
    check_interleaved,
    check_set_ups,
    check_time,
    ensure,
)
from bench.stats.estimates import geometric
from bench.stats.measured import measured
from mtl_core.errors import UserError, visible
from mtl_core.platform.on_disk import ForeignError, content, json_value

LOST = ""  # the name of a baseline that nothing tells
BLOCK = "mtl_bench"  # the key of our block in pytest-benchmark's JSON
LARGEST_FILE = 200 * 2**20  # bytes; a result file is a few MB
UNTOLD = Estimate(value=math.nan, low=0.0, high=math.inf, confidence=0.95, n=0)  # of images


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Our block at the top of a file."""

    schema: int
    machine: Machine
    ceilings: Ceilings
    settings: dict[str, str]
    answers: list[Answer] = []
    warnings: list[str] = []
    weather: Weather | None = None
    failures: list[Failure] = []
    spent_s: float = 0.0
    declared: Declared | msgspec.UnsetType = msgspec.UNSET
    changes: Changes | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Our block in the entry of one variant: what it is, and its raw samples."""

    case: Case
    set_ups: list[SetUp]
    baseline: str | None = None  # the variant's name; schema 1: the one without an effect
    effect: Any = None
    beside: dict[str, Any] = {}  # by the other variants that its ratio is asked for against


def header(run: Run) -> dict[str, Any]:
    """What stands under our key at the top of a result file."""
    assert run.machine is not None and run.ceilings is not None
    contents = Header(
        schema=SCHEMA,
        machine=run.machine,
        ceilings=run.ceilings,
        settings=run.settings,
        answers=run.answers,
        warnings=run.warnings,
        weather=run.weather,
        failures=run.failures,
        spent_s=run.spent_s,
        declared=msgspec.UNSET if run.declared is None else run.declared,
        changes=run.changes,
    )
    more = {
        "machine_class": run.machine.class_key,
        "build": {n: getattr(run.ceilings, n) for n in ("mxnet", "numpy", "features", "libraries")},
        "source": run.machine.source,
    }
    whole: dict[str, Any] = finite({**msgspec.to_builtins(contents), **more})
    for fit in (fit for answer in whole["answers"] for fit in answer["fits"].values()):
        fit["confidence"] = None if fit["confidence"] == PLAIN_RANGE else fit["confidence"]
    return whole


def entry(run: Run, group: str, variant: str) -> dict[str, Any]:
    """What stands under our key in the entry of one variant."""
    record = run.measured[group][variant]
    effect = record.effect
    set_ups = [block.set_ups[variant] for block in run.blocks[group] if variant in block.set_ups]
    contents: dict[str, Any] = {
        "case": record.case,
        "baseline": run.baselines[group],
        "images": record.images,
        "images_per_s": record.images_per_s,
        "iteration_s": record.iteration_s,
        "first_call_s": record.first_call_s,
        "facts": record.facts,
        "effect": None if effect is None else _effect(effect),
        "verdict": None if effect is None else _verdict(effect, run.measured[group]),
        "beside": {
            v: {**_effect(ratio), "verdict": _verdict(ratio, run.measured[group])}
            for v, ratio in record.beside.items()
        },
        "warm_up": [r.iteration_s for set_up in set_ups for r in set_up.warm_up],
        "set_ups": set_ups,
    }
    if record.quantiles:
        contents["quantiles_s"] = record.quantiles
    whole: dict[str, Any] = finite(msgspec.to_builtins(contents))
    return whole


def _effect(ratio: Ratio) -> dict[str, float]:
    """Time of the variant over time of its baseline, with the interval that holds it."""
    estimate = ratio.estimate
    ends = {"low": estimate.low, "high": estimate.high, "confidence": estimate.confidence}
    return {"ratio": estimate.value, **ends, "n": estimate.n}


def _verdict(ratio: Ratio, variants: dict[str, Measured]) -> Verdict | None:
    """None where an iteration of the two does unlike work: then no ratio of their times decides."""
    images = {m.images for m in variants.values() if m.case.name in (ratio.case, ratio.baseline)}
    return ratio.verdict if len(images) == 1 else None


def read_run(path: Path) -> Run:
    """The run in a result file, its statistics computed anew.

    Raises UserError, naming the file and what is wrong with it, for anything that is not one.
    """
    return run_from(content_of(path), str(path), path.name)


def content_of(path: Path) -> bytes:
    """A file's content, if it is a file and no larger than a result can be."""
    return content(path, LARGEST_FILE, "give a result file")


def check_size(size: int, place: str) -> None:
    """Raise UserError for what is too large to be a result file, before it is read."""
    if size > LARGEST_FILE:
        raise UserError(f"{place} is larger than {LARGEST_FILE >> 20} MB: no result file")


def run_from(raw: bytes, place: str, name: str) -> Run:
    """The run in a result file's content; the place is for complaints, the name for the run."""
    document = _document(raw, place)
    stamp = document.get("datetime")
    stamp = stamp if isinstance(stamp, str) else None
    try:
        if not document["benchmarks"] and not _failed_in(document):
            raise UserError(f"{place} holds no benchmark at all: nothing was measured; measure again")
        if BLOCK not in document:
            return Run(name=name, measured_at=stamp, schema=None, measured=_foreign(document["benchmarks"]))
        return _ours(document, name, stamp)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the latter of half a character
        raise UserError(
            f"{place}: damaged or not of this suite ({visible(str(error))}); measure again"
        ) from None
    except DamagedError as error:
        raise UserError(
            f"{place}: its samples do not fit together ({visible(str(error))}); measure again"
        ) from None


def _document(raw: bytes, place: str) -> dict[str, Any]:
    document = parsed(raw, place)
    if not isinstance(document.get("benchmarks"), list):
        raise UserError(f"{place} is no result of pytest-benchmark: it lists no benchmarks")
    return document


def parsed(raw: bytes, place: str) -> dict[str, Any]:
    """A JSON object of finite numbers, nested no deeper than ours are. Raises UserError for anything else."""
    try:
        document = json_value(raw)
    except ForeignError as error:
        raise UserError(f"{place} is no result file ({error}); measure again") from None
    if not isinstance(document, dict):
        raise UserError(f"{place} is no result of pytest-benchmark: it lists no benchmarks")
    return document


def _ours(document: dict[str, Any], name: str, stamp: str | None) -> Run:
    block = document[BLOCK]
    schema = block.get("schema") if isinstance(block, dict) else None
    ensure(
        type(schema) is int and 1 <= schema <= SCHEMA,
        f"schema {schema!r:.40}, while this version reads 1 to {SCHEMA}",
    )
    ours = msgspec.convert(endless(block), Header)
    check_estimates(endless(block.get("answers", [])))
    _check_machine(ours)
    entries = [msgspec.convert(member, Entry) for member in _entries(document["benchmarks"])]
    if schema == 1:
        entries = [_numbered(member) for member in entries]
    for member in entries:
        check_set_ups(member.case.name, member.set_ups)
    groups: dict[str, list[Entry]] = {}
    for member in entries:
        groups.setdefault(member.case.group, []).append(member)
    for members in groups.values():
        _check_group(members)
    blocks = {group: _blocks(group, members) for group, members in groups.items()}
    baselines = {group: _baseline(members) for group, members in groups.items()}
    return Run(
        name=name,
        measured_at=stamp,
        schema=schema,
        machine=ours.machine,
        ceilings=ours.ceilings,
        settings=ours.settings,
        answers=ours.answers,
        warnings=ours.warnings,
        weather=ours.weather,
        failures=ours.failures,
        spent_s=ours.spent_s,
        declared=None if ours.declared is msgspec.UNSET else ours.declared,
        changes=ours.changes,
        measured={
            group: _measured(members, baselines[group], blocks[group]) for group, members in groups.items()
        },
        blocks=blocks,
        baselines=baselines,
    )


def _failed_in(document: dict[str, Any]) -> bool:
    """Whether a file of ours tells of failures: a run in which everything failed is one all the same."""
    block = document.get(BLOCK)
    return isinstance(block, dict) and bool(block.get("failures"))


def _entries(benchmarks: list[Any]) -> list[Any]:
    """Our block of each entry that has one."""
    extras = [_part(benchmark, "extra_info") for benchmark in benchmarks]
    return [extra[BLOCK] for extra in extras if BLOCK in extra]


def _part(holder: Any, name: str) -> dict[str, Any]:
    """The object of this name in an object; empty where there is none."""
    part = holder.get(name, {}) if isinstance(holder, dict) else None
    ensure(isinstance(part, dict), f"{name} is missing or no object")
    assert isinstance(part, dict)
    return part


def _check_machine(ours: Header) -> None:
    """Numbers that are divided by."""
    for name in ("mxnet_gflop_per_s", "numpy_gflop_per_s", "memory_gb_per_s", "python_loops_per_s"):
        value = getattr(ours.ceilings, name)
        ensure(1e-9 < value < 1e18, f"{name} is {value:g}")
    ensure(0 < ours.machine.cores_granted < 1e6, f"cores_granted is {ours.machine.cores_granted:g}")


def _check_group(members: list[Entry]) -> None:
    """The variants of a group: each once, one baseline, rounds that were interleaved in each block."""
    names = [member.case.variant for member in members]
    ensure(len(set(names)) == len(names), f"{members[0].case.group} has a variant twice")
    baselines = {member.baseline for member in members if member.baseline}
    lost = all(member.baseline == member.case.variant for member in members)
    ensure(len(baselines) <= 1 or lost, f"{members[0].case.group} has several baselines")
    check_interleaved(members[0].case.group, [set_up for member in members for set_up in member.set_ups])


def _numbered(member: Entry) -> Entry:
    """An entry of schema 1: its set-ups were interleaved in the order in which they stand."""
    set_ups = [msgspec.structs.replace(s, block=number) for number, s in enumerate(member.set_ups)]
    baseline = member.case.variant if member.effect is None else None
    return msgspec.structs.replace(member, set_ups=set_ups, baseline=baseline)


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


def _baseline(members: list[Entry]) -> str:
    """What the others were held against, by its name; of none where a file does not name one that failed.

    Earlier files name each variant as its own where the baseline failed.
    """
    named = dict.fromkeys(member.baseline for member in members if member.baseline)
    return LOST if len(named) > 1 else next(iter(named), members[0].case.variant)


def _measured(members: list[Entry], baseline: str, blocks: list[Block]) -> dict[str, Measured]:
    also = [(m.case.variant, other) for m in members for other in m.beside]
    return measured({m.case.variant: m.case for m in members}, baseline, blocks, also)


def _foreign(benchmarks: list[Any]) -> dict[str, dict[str, Measured]]:
    """What a file of pytest-benchmark alone tells: rounds of one process, so no interval at all."""
    groups: dict[str, dict[str, Measured]] = {}
    for benchmark in benchmarks:
        seconds = _part(benchmark, "stats").get("median")
        group = str(benchmark.get("group") or "ungrouped")
        name = str(benchmark.get("fullname") or benchmark.get("name"))
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise DamagedError(f"{name} has no median")
        check_time(f"median of {name}", seconds)
        iteration = geometric(np.log([float(seconds)]))
        groups.setdefault(group, {})[name] = Measured(
            case=Case(question=group, part="", variant=name, workload="", settings={}),
            images=0,
            iteration_s=iteration,
            images_per_s=UNTOLD,
            first_call_s=iteration,
            facts={},
            effect=None,
            extra_first_call_s=None,
            times_s=[float(seconds)],
            course_facts=[],
        )
    return groups
