"""The same step judged by regress, by pytest-benchmark's thresholds and by pyperf's compare_to.

``python docs/studies/peers.py record FOLDER MINUTES`` records, in slices that take turns, what trust and
the peers need, quiet and with one core kept busy; called again it goes on. ``python docs/studies/peers.py
judge FOLDER`` prints the tables of docs/trust.md, with ``--write`` also into it. A folder of such folders
is judged as one: no comparison reaches from one recording into the next, and their counts are added. Needs
the extra ``studies`` (pyperf).

Each peer is given runs in its own shape. A run of pytest-benchmark is one process, one set-up and a
second of rounds (its default ``--benchmark-max-time``), and for identical code also as many as fit half of
the time of a comparison. A run of pyperf is as many processes as
fit the time, each giving three values of 100 ms after one to warm up. Both decide by their own code. In
each recorded process, rounds of the step as it is and slowed by known shares take turns, so that one
process serves as a run of each; base and head of a comparison are always different processes.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, islice
from pathlib import Path
from typing import TypeVar

from pytest_benchmark.stats import Stats
from pytest_benchmark.utils import PercentageRegressionCheck

from bench.harness.pool import WorkerFailedError, WorkerProcess
from bench.harness.rounds import ROUND_S
from bench.questions.gate import GATE
from bench.records.run import Estimate
from bench.stats.verdict import ALPHA, TOLERANCE
from bench.trust.recorder import busy, read, slowed
from bench.trust.replay import Unit, clopper_pearson, comparisons
from bench.trust.study import record_here
from mtl_core.errors import UserError
from mtl_core.program.files import write_whole

SHARES = ("0", "0.03", "0.05")
CONDITIONS = {"quiet": 0, "busy": 1}  # cores kept busy
TRUST_SLICE_S, PEERS_SHARE = 300.0, 0.2  # of trust at a time, and what the peers get of that
RUN_S = 1.0  # of rounds in a run of pytest-benchmark
LONG_RUN_S = 27.0  # of rounds in one that takes half of the time of a comparison
THRESHOLD_PERCENT = 5.0
BUDGET_S = 60.0  # of a comparison
PAGE = Path(__file__).parents[1] / "trust.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"  # between them stand the tables
VALUES, ROUNDS_A_VALUE = 3, 5  # of a pyperf process
DRAWS = 2000  # of groups of processes, for the share over more than disjoint groups

Process = dict[str, list[float]]  # seconds an iteration, round by round, by share; and start_s
Judge = Callable[[Sequence[Process], Sequence[Process], str], bool]
T = TypeVar("T")


def one_process(
    seed: int, level_s: float | None, shares: Sequence[str] = SHARES, run_s: float = RUN_S
) -> Process:
    """A worker, a set-up, warm-up, then rounds of every share in turn, ``run_s`` of each."""
    start, rng, benchmark = time.monotonic(), random.Random(seed), slowed()
    worker = WorkerProcess({})
    try:
        worker.ask("set_up", workload=benchmark.workload, settings=benchmark.settings, seed=seed)
        for _ in range(5):
            iteration_s = worker.ask("round", iterations=20)["ns"] / 20e9
        count = max(1, round(ROUND_S / iteration_s))
        rounds: Process = {share: [] for share in shares}
        for _ in range(round(run_s / ROUND_S)):
            for share in rng.sample(shares, len(shares)):
                worker.ask("change", spin_s=float(share) * (level_s or iteration_s))
                rounds[share].append(worker.ask("round", iterations=count)["ns"] / 1e9 / count)
    except WorkerFailedError as failure:
        last = failure.last_lines[-1] if failure.last_lines else "it said nothing"
        raise UserError(f"a worker failed: {failure.reason}: {last}") from None
    finally:
        worker.end()
    spent = time.monotonic() - start
    return {**rounds, "start_s": [spent - sum(map(sum, rounds.values())) * count]}


def record_peers(path: Path, seconds: float, cores: int) -> None:
    """Processes until the time is over, each in the file at once; what is there already stays."""
    end, found = time.monotonic() + seconds, processes(path) if path.exists() else []
    with path.open("a") as file, busy(cores):
        while time.monotonic() < end:
            levels = [statistics.median(process["0"]) for process in found[-10:]]
            found.append(one_process(len(found), statistics.median(levels) if levels else None))
            file.write(json.dumps(found[-1]) + "\n")
            file.flush()


def record_long(path: Path, cores: int) -> None:
    """One more process with the rounds of half a comparison, of identical code alone."""
    with path.open("a") as file, busy(cores):
        seed = len(processes(path))
        file.write(json.dumps(one_process(seed, None, SHARES[:1], LONG_RUN_S)) + "\n")


def record(folder: Path, minutes: float) -> None:
    """Slices of trust and of the peers, quiet and busy in turn, until the time is over."""
    end = time.monotonic() + 60.0 * minutes
    folder.mkdir(parents=True, exist_ok=True)
    while (left := end - time.monotonic()) > 0:
        for name, cores in CONDITIONS.items():
            trust, peers = folder / f"trust_{name}.jsonl", folder / f"peers_{name}.jsonl"
            slice_s = min(TRUST_SLICE_S, left / 2 / (1 + PEERS_SHARE))
            record_here(
                trust,
                slice_s,
                busy=cores,
                seed=0,
                resume=trust.exists(),
                show=lambda units, spent_s: None,
                slow_downs=[float(share) for share in SHARES[1:]],
            )
            record_peers(peers, slice_s * PEERS_SHARE, cores)
            record_long(folder / f"long_{name}.jsonl", cores)
            print(f"{name}: {len(read(trust, None))} units, {len(processes(peers))} processes", flush=True)


def processes(path: Path) -> list[Process]:
    """What was recorded."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def threshold(field: str) -> Judge:
    """pytest-benchmark's --benchmark-compare-fail=FIELD:5%, by its own check."""

    def slower(base: Sequence[Process], head: Sequence[Process], share: str) -> bool:
        told = []
        for (process,), name in ((head, share), (base, "0")):
            stats = Stats()
            for value in process[name]:
                stats.update(value)
            told.append({field: getattr(stats, field)})
        return bool(PercentageRegressionCheck(field, THRESHOLD_PERCENT).fails(*told))

    return slower


def values(group: Sequence[Process], share: str) -> list[float]:
    """What pyperf would keep of these processes: three values each, the first round group is warm-up."""
    found = []
    for process in group:
        rounds = process[share][ROUNDS_A_VALUE : ROUNDS_A_VALUE * (VALUES + 1)]
        found += [
            statistics.mean(rounds[i : i + ROUNDS_A_VALUE]) for i in range(0, len(rounds), ROUNDS_A_VALUE)
        ]
    return found


def pyperf_changed(base: Sequence[Process], head: Sequence[Process], share: str) -> bool:
    """pyperf's own t-test; for identical code any significance is an alarm."""
    from pyperf._utils import is_significant

    before, after = values(base, "0"), values(head, share)
    significant, _ = is_significant(after, before)
    return bool(significant) and (share == "0" or statistics.mean(after) > statistics.mean(before))


def disjoint(
    recorded: Sequence[Sequence[Process]], size: int
) -> Iterator[tuple[Sequence[Process], Sequence[Process]]]:
    """Groups of ``size`` processes of a recording for base and head, none used twice."""
    for found in recorded:
        for start in range(0, len(found) - 2 * size + 1, 2 * size):
            yield found[start : start + size], found[start + size : start + 2 * size]


def drawn(
    recorded: Sequence[Sequence[Process]], size: int
) -> Iterator[tuple[Sequence[Process], Sequence[Process]]]:
    """Every pair of processes, or many random groups: the same share, known better, of dependent ones."""
    if size == 1:
        yield from (([a], [b]) for found in recorded for a, b in combinations(found, 2))
        return
    for both in shared_out(recorded, 2 * size):
        yield both[:size], both[size:]


def shared_out(recorded: Sequence[Sequence[T]], size: int | None = None) -> Iterator[list[T]]:
    """So many random draws from the recordings, of each as many as it is long; ``size`` of it, or all."""
    rng, lengths = random.Random(0), [len(found) for found in recorded if len(found) >= (size or 1)]
    for found in recorded:
        if len(found) >= (size or 1):
            for _ in range(round(DRAWS * len(found) / sum(lengths))):
                yield rng.sample(list(found), size or len(found))


def counted(share: Estimate, hits: int) -> str:
    """``3 of 60 (1 to 14 %)``."""
    return f"{hits} of {share.n} ({100 * share.low:.1f} to {100 * share.high:.1f} %)"


def peer_line(name: str, judge: Judge, recorded: Sequence[Sequence[Process]], size: int) -> str:
    """Counts over disjoint comparisons, and the share over all that can be drawn."""
    cells = []
    for share in SHARES:
        if any(share not in process for found in recorded for process in found):
            cells.append("not recorded")
            continue
        made = [judge(base, head, share) for base, head in disjoint(recorded, size)]
        more = [judge(base, head, share) for base, head in drawn(recorded, size)]
        told = counted(clopper_pearson(sum(made), len(made)), sum(made)) if made else "none"
        cells.append(f"{told}; {statistics.mean(more):.1%} of {len(more)}" if more else told)
    return f"| {name} | " + " | ".join(cells) + " |"


def is_called(verdict: str, share: str) -> bool:
    """Slower; of identical code either way."""
    return verdict == "slower" or (share == "0" and verdict == "faster")


def our_line(recorded: Sequence[Sequence[Unit]], budget_s: float, benchmarks: int = 1) -> str:
    """regress over the recordings of trust: the step alone, or as the first of so many."""
    alpha, cells, spent = ALPHA / benchmarks, [], []
    for share in SHARES:
        made = [m for units in recorded for m in comparisons(units, share, budget_s, TOLERANCE, alpha)]
        hits = sum(is_called(m.verdict, share) for m in made)
        told = counted(clopper_pearson(hits, len(made)), hits) if made else "none"
        more = called(recorded, share, budget_s, alpha)
        cells.append(f"{told}; {statistics.mean(more):.1%} of {len(more)}" if more else told)
        spent += [statistics.median(m.seconds for m in made)] if made else []
    typical = f" (typically {statistics.median(spent):.0f} s)" if spent else ""
    name = "regress step" if benchmarks == 1 else f"regress, step the first of {benchmarks}"
    return f"| {name}, at most {budget_s:g} s{typical} | " + " | ".join(cells) + " |"


def called(recorded: Sequence[Sequence[Unit]], share: str, budget_s: float, alpha: float) -> list[bool]:
    """Whether regress calls it when it meets the units in drawn orders; none where they do not last."""
    met = (comparisons(order, share, budget_s, TOLERANCE, alpha) for order in shared_out(recorded))
    return [is_called(made.verdict, share) for each in met for made in islice(each, 1)]


def places(folder: Path, name: str) -> list[Path]:
    """The folders of recordings: this one, or those in it."""
    return sorted(path.parent for path in folder.glob(f"*/trust_{name}.jsonl")) or [folder]


def recordings(folder: Path, name: str) -> tuple[list[list[Unit]], list[list[Process]]]:
    """What was recorded under one condition, a list a recording."""
    below = places(folder, name)
    trust = [read(place / f"trust_{name}.jsonl", None) for place in below]
    return trust, [processes(place / f"peers_{name}.jsonl") for place in below]


def judge(folder: Path, name: str) -> list[str]:
    """The lines of docs/trust.md for one condition."""
    trust, recorded = recordings(folder, name)
    found = [process for processes_of_one in recorded for process in processes_of_one]
    kept = (place / f"long_{name}.jsonl" for place in places(folder, name))
    long = [processes(path) for path in kept if path.exists()]
    fields = ("mean", "median")
    start_s = statistics.median(process["start_s"][0] for process in found)
    each_s = start_s + (VALUES + 1) * ROUNDS_A_VALUE * ROUND_S
    size = max(2, int(BUDGET_S / 2 / each_s))
    whole = [statistics.mean(process["0"]) for process in found]
    half = [statistics.mean(process["0"][: len(process["0"]) // 2]) for process in found]
    spread, half_spread = (statistics.stdev(v) / statistics.mean(v) for v in (whole, half))
    return [
        f"**{name.capitalize()}**" + (f", {CONDITIONS[name]} core kept busy" if CONDITIONS[name] else ""),
        "",
        "| judge | alarms on identical code | 3 % slower, called | 5 % slower, called |",
        "|---|---|---|---|",
        *(our_line(trust, budget, count) for count in (1, len(GATE)) for budget in (BUDGET_S, 2 * BUDGET_S)),
        *(peer_line(f"pytest-benchmark, {f} + 5 %", threshold(f), recorded, 1) for f in fields),
        *(
            peer_line(f"the same, {2 * LONG_RUN_S:g} s of rounds a pair, {f}", threshold(f), long, 1)
            for f in fields
        ),
        peer_line(f"pyperf compare_to, {size} processes a side", pyperf_changed, recorded, size),
        "",
        f"{sum(map(len, trust))} invocations in {len(trust)} recordings. {len(found)} processes of the "
        f"peers, start and set-up {start_s:.1f} s each; means of runs differ by {spread:.2%} (standard "
        f"deviation), with half the rounds by {half_spread:.2%}.",
    ]


def write_between(path: Path, lines: Sequence[str]) -> None:
    """Put the lines in place of what stands between the markers of a page."""
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{path} lacks {BEGIN} or {END}: nowhere to write the figures")
    told = "\n".join([before + BEGIN, *lines, END + after])
    write_whole(path, lambda file: file.write(told.encode()), "docs/trust.md")


def main(arguments: list[str]) -> None:
    """Record or judge."""
    if arguments[:1] == ["record"] and len(arguments) == 3:
        record(Path(arguments[1]), float(arguments[2]))
    elif arguments[:1] == ["judge"] and arguments[2:] in ([], ["--write"]):
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
