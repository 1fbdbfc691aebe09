"""The same step judged by regress, by pytest-benchmark's thresholds and by pyperf's compare_to.

``python docs/studies/peers.py record FOLDER MINUTES`` records, in slices that take turns, what trust and
the peers need, as the hour is and with one core kept busy; called again it goes on. ``python
docs/studies/peers.py judge FOLDER`` prints the tables of docs/trust.md, with ``--write`` also into it. A
folder of such folders is judged as one: no comparison reaches from one recording into the next, and their
counts are added. Needs the extra ``studies`` (pyperf).

All judge the same injected work: an operator more in every step, a smaller one, and one step of twenty done
twice. Each peer is given runs in its own shape. A run of pytest-benchmark is one process, one set-up and a
second of rounds (its default ``--benchmark-max-time``), and for identical code also as many as fit half of
the time of a comparison. A run of pyperf is as many processes as fit the time, each giving three values of
100 ms after one to warm up. Both decide by their own code. In each recorded process, rounds of the step as it
is and with work injected take turns, so that one process serves as a run of each; base and head of a
comparison are always different processes.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import PercentageRegressionCheck

from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.questions.gate import GATE
from bench.results.recording_file import Unit, read
from bench.stats.proportions import clopper_pearson
from bench.stats.verdict import ALPHA, TOLERANCE
from bench.trust.neighbours import ALONE, WORDS, beside
from bench.trust.replay import calls, stretches
from bench.trust.study import record_here
from bench.trust.variants import BY_NAME, IDENTICAL, STEP, WORKLOAD
from mtl_core.errors import UserError
from mtl_core.program.files import write_whole
from reports.pages.trust import counted_as

# By variant, what a worker changes between rounds to become it.
CHANGES: dict[str, dict[str, Any]] = {
    IDENTICAL: {"operator": "none", "every": 0},
    "operator": {"operator": "large", "every": 0},
    "part_operator": {"operator": "part", "every": 0},
    "every_20": {"operator": "none", "every": 20},
}
CONDITIONS = (ALONE, "busy")
TRUST, PEERS = "trust.jsonl", "peers.jsonl"
TRUST_SLICE_S, PEERS_SHARE = 300.0, 0.2  # of trust at a time, and what the peers get of that
ROUND_S = 0.020  # of the peers
RUN_S = 1.0  # of rounds in a run of pytest-benchmark
LONG_RUN_S = 27.0  # of rounds in one that takes half of the time of a comparison
THRESHOLD_PERCENT = 5.0
BUDGET_S = 60.0  # of a comparison
PAGE = Path(__file__).parents[1] / "trust.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"  # between them stand the tables
VALUES, ROUNDS_A_VALUE = 3, 5  # of a pyperf process
DRAWS = 2000  # of groups of processes, for the share over more than disjoint groups


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded process of the peers."""

    condition: str
    long: bool  # the rounds of half a comparison, of identical code alone
    start_s: float  # start and set-up
    rounds: dict[str, list[float]]  # seconds an iteration by variant


Judge = Callable[[Sequence[Process], Sequence[Process], str], bool]


def one_process(seed: int, condition: str, *, long: bool = False) -> Process:
    """A worker, a set-up, warm-up, then rounds of every variant in turn."""
    start, rng = time.monotonic(), random.Random(seed)
    names = [IDENTICAL] if long else list(CHANGES)
    worker = WorkerProcess({})
    try:
        worker.ask("set_up", workload=WORKLOAD, settings=STEP.settings, seed=seed)
        for _ in range(5):
            iteration_s = worker.ask("round", iterations=20)["ns"] / 20e9
        count = max(1, round(ROUND_S / iteration_s))
        rounds: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(round((LONG_RUN_S if long else RUN_S) / ROUND_S)):
            for name in rng.sample(names, len(names)):
                worker.ask("change", **CHANGES[name])
                rounds[name].append(worker.ask("round", iterations=count)["ns"] / 1e9 / count)
    except WorkerFailedError as failure:
        last = failure.last_lines[-1] if failure.last_lines else "it said nothing"
        raise UserError(f"a worker failed: {failure.reason}: {last}") from None
    finally:
        worker.end()
    spent_s = time.monotonic() - start
    start_s = spent_s - sum(map(sum, rounds.values())) * count
    return Process(condition=condition, long=long, start_s=start_s, rounds=rounds)


def record_peers(path: Path, seconds: float, condition: str) -> None:
    """Processes until the time is over and a long one, each in the file at once; what is there stays."""
    seed = len(processes(path)) if path.exists() else 0
    end = time.monotonic() + seconds
    with path.open("ab") as file, beside(condition, seconds + 2 * LONG_RUN_S, seed):
        long = False
        while not long:
            long = time.monotonic() >= end
            file.write(msgspec.json.encode(one_process(seed, condition, long=long)) + b"\n")
            file.flush()
            seed += 1


def record(folder: Path, minutes: float) -> None:
    """Slices of trust and of the peers, one condition after the other, until the time is over."""
    end = time.monotonic() + 60.0 * minutes
    folder.mkdir(parents=True, exist_ok=True)
    while (left := end - time.monotonic()) > 0:
        for condition in CONDITIONS:
            slice_s = min(TRUST_SLICE_S, left / len(CONDITIONS) / (1 + PEERS_SHARE))
            trust, peers = folder / TRUST, folder / PEERS
            names = [name for name in CHANGES if not trust.exists()]
            record_here(trust, slice_s, conditions=[condition], variants=names, resume=trust.exists())
            record_peers(peers, slice_s * PEERS_SHARE, condition)
            print(f"{condition}: {len(read(trust))} units, {len(processes(peers))} processes", flush=True)


def processes(path: Path) -> list[Process]:
    """What was recorded of the peers."""
    return [msgspec.json.decode(line, type=Process) for line in path.read_bytes().splitlines()]


def threshold(field: str) -> Judge:
    """pytest-benchmark's --benchmark-compare-fail=FIELD:5%, by its own check."""

    def slower(base: Sequence[Process], head: Sequence[Process], variant: str) -> bool:
        summaries = []
        for (process,), name in ((head, variant), (base, IDENTICAL)):
            stats = Stats()
            for value in process.rounds[name]:
                stats.update(value)
            summaries.append({field: getattr(stats, field)})
        return bool(PercentageRegressionCheck(field, THRESHOLD_PERCENT).fails(*summaries))

    return slower


def values(group: Sequence[Process], variant: str) -> list[float]:
    """What pyperf would keep of these processes: three values each, the first round group is warm-up."""
    kept = []
    for process in group:
        rounds = process.rounds[variant][ROUNDS_A_VALUE : ROUNDS_A_VALUE * (VALUES + 1)]
        kept += [
            statistics.mean(rounds[i : i + ROUNDS_A_VALUE]) for i in range(0, len(rounds), ROUNDS_A_VALUE)
        ]
    return kept


def pyperf_changed(base: Sequence[Process], head: Sequence[Process], variant: str) -> bool:
    """pyperf's own t-test; for identical code any significance is an alarm."""
    from pyperf._utils import is_significant

    before, after = values(base, IDENTICAL), values(head, variant)
    significant, _ = is_significant(after, before)
    slower = statistics.mean(after) > statistics.mean(before)
    return bool(significant) and (variant == IDENTICAL or slower)


def disjoint(
    recorded: Sequence[Sequence[Process]], size: int
) -> Iterator[tuple[Sequence[Process], Sequence[Process]]]:
    """Groups of ``size`` processes of a recording for base and head, none used twice."""
    for several in recorded:
        for start in range(0, len(several) - 2 * size + 1, 2 * size):
            yield several[start : start + size], several[start + size : start + 2 * size]


def drawn(
    recorded: Sequence[Sequence[Process]], size: int
) -> Iterator[tuple[Sequence[Process], Sequence[Process]]]:
    """Every pair of processes, or many random groups: the same share, known better, of dependent ones."""
    if size == 1:
        yield from (([a], [b]) for several in recorded for a, b in combinations(several, 2))
        return
    rng, enough = random.Random(0), [several for several in recorded if len(several) >= 2 * size]
    for several in enough:
        for _ in range(round(DRAWS * len(several) / sum(map(len, enough)))):
            both = rng.sample(list(several), 2 * size)
            yield both[:size], both[size:]


def peer_line(name: str, judge: Judge, recorded: Sequence[Sequence[Process]], size: int) -> str:
    """Counts over disjoint comparisons, and the share over all that can be drawn."""
    cells = []
    for variant in CHANGES:
        if any(variant not in process.rounds for several in recorded for process in several):
            cells.append("not recorded")
            continue
        made = [judge(base, head, variant) for base, head in disjoint(recorded, size)]
        more = [judge(base, head, variant) for base, head in drawn(recorded, size)]
        count = counted_as(sum(made), clopper_pearson(sum(made), len(made))) if made else "none"
        cells.append(f"{count}; {statistics.mean(more):.1%} of {len(more)}" if more else count)
    return f"| {name} | " + " | ".join(cells) + " |"


def our_line(pieces: Sequence[Sequence[Unit]], budget_s: float, benchmarks: int = 1) -> str:
    """regress over the recordings of trust: the step alone, or as the first of so many."""
    cells, spent_s = [], []
    for name in CHANGES:
        variant = BY_NAME[name]
        made = calls(pieces, variant, budget_s, variant.tolerance or TOLERANCE, DRAWS, ALPHA / benchmarks)
        count = counted_as(made.right.hits, made.right.share) if made.comparisons else "none"
        more = made.drawn
        cells.append(f"{count}; {more.hits:.1%} of {more.comparisons}" if more.comparisons else count)
        spent_s += [made.seconds] if made.seconds else []
    typical = f" (typically {statistics.median(spent_s):.0f} s)" if spent_s else ""
    name = "regress step" if benchmarks == 1 else f"regress, step the first of {benchmarks}"
    return f"| {name}, at most {budget_s:g} s{typical} | " + " | ".join(cells) + " |"


def places(folder: Path) -> list[Path]:
    """The folders of recordings: this one, or those in it. Raises UserError where there is none."""
    below = sorted(path.parent for path in folder.glob(f"*/{TRUST}"))
    if not below and not (folder / TRUST).exists():
        raise UserError(f"{folder / TRUST} is not there: record first")
    return below or [folder]


def judge(folder: Path, condition: str) -> list[str]:
    """The lines of docs/trust.md for one condition; none where nothing was recorded under it."""
    pieces, short, long = [], [], []
    for place in places(folder):
        units = [unit for unit in read(place / TRUST) if unit.condition == condition]
        pieces += [stretch.units for stretch in stretches(units)]
        of_it = [process for process in processes(place / PEERS) if process.condition == condition]
        short.append([process for process in of_it if not process.long])
        long.append([process for process in of_it if process.long])
    every = [process for several in short for process in several]
    if not pieces or len(every) < 2:
        return []
    start_s = statistics.median(process.start_s for process in every)
    size = max(2, int(BUDGET_S / 2 / (start_s + (VALUES + 1) * ROUNDS_A_VALUE * ROUND_S)))
    means = [statistics.mean(process.rounds[IDENTICAL]) for process in every]
    fields = ("mean", "median")
    return [
        f"**{WORDS[condition].capitalize()}**",
        "",
        "| judge | " + " | ".join(BY_NAME[name].says for name in CHANGES) + " |",
        "|---" * (len(CHANGES) + 1) + "|",
        *(our_line(pieces, budget, count) for count in (1, len(GATE)) for budget in (BUDGET_S, 2 * BUDGET_S)),
        *(peer_line(f"pytest-benchmark, {field} + 5 %", threshold(field), short, 1) for field in fields),
        *(
            peer_line(f"the same, {2 * LONG_RUN_S:g} s of rounds a pair, {field}", threshold(field), long, 1)
            for field in fields
        ),
        peer_line(f"pyperf compare_to, {size} processes a side", pyperf_changed, short, size),
        "",
        f"{sum(map(len, pieces))} invocations in {len(pieces)} hours. {len(every)} processes of the peers, "
        f"start and set-up {start_s:.1f} s each; means of runs differ by "
        f"{statistics.stdev(means) / statistics.mean(means):.2%} (standard deviation).",
    ]


def write_between(path: Path, lines: Sequence[str]) -> None:
    """Put the lines in place of what stands between the markers of a page."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path} lacks {BEGIN} or {END}: nowhere to write the figures")
    page = "\n".join([before + BEGIN, *lines, END + after])
    write_whole(path, lambda file: file.write(page.encode()), "docs/trust.md")


def main(arguments: list[str]) -> None:
    """Record or judge."""
    if arguments[:1] == ["record"] and len(arguments) == 3:
        record(Path(arguments[1]), float(arguments[2]))
    elif arguments[:1] == ["judge"] and len(arguments) > 1 and arguments[2:] in ([], ["--write"]):
        lines = [line for name in CONDITIONS for line in ("", *judge(Path(arguments[1]), name))][1:]
        print("\n".join(lines))
        if arguments[2:]:
            write_between(PAGE, lines)
    else:
        raise UserError("expected record FOLDER MINUTES, or judge FOLDER [--write]")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
