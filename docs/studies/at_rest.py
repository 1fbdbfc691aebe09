"""Which estimate of a ratio at rest is nearest to the calm one, in any hour: the table of docs/measuring.md.

``python docs/studies/at_rest.py FOLDER`` reads every ``*.jsonl`` in a folder of recorded rounds, a condition
a file: a line a set-up, ``L`` the aimed length of a round in milliseconds, ``rec`` milliseconds an iteration
by variant and round, interleaved. A is one head, A2 the same again, W an operator more, B both heads.

From each recording half of its set-ups are drawn again and again, and every estimator gives a log ratio and a
95 % interval for each draw. The calm value of a length and variant is that of the recording of this length
with the largest share of calm rounds, where all estimators of the low tail agree: the mean of them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.stats.estimates import Floats, Mean, mean_of
from bench.stats.rest import SHARES, AtRest, Pair, calm_share, log_tails, tail_mean
from mtl_core.errors import UserError

BASE, VARIANTS = "A", ("A2", "W", "B")
LEAST_MS, DRAWN, DRAWS = 6.0, 12, 200  # shorter rounds pay for their ends; set-ups a draw


class Recording(NamedTuple):
    """The set-ups of one condition and length of round; seconds an iteration by variant."""

    condition: str
    length_ms: float
    set_ups: list[dict[str, Floats]]

    @property
    def calm(self) -> float:
        """The share of calm rounds of the base and the same code."""
        return calm_share([[each[name] for each in self.set_ups] for name in (BASE, "A2")])


def load(folder: Path) -> list[Recording]:
    """Every recording in a folder. Raises UserError where there is none."""
    recordings: dict[tuple[str, float], list[dict[str, Floats]]] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            block = json.loads(line)
            if block["L"] >= LEAST_MS:
                rounds = {name: np.array(ms) / 1e3 for name, ms in block["rec"].items()}
                recordings.setdefault((path.stem, block["L"]), []).append(rounds)
    if not recordings:
        raise UserError(f"{folder} holds no recorded rounds: expected *.jsonl")
    return [Recording(condition, length, blocks) for (condition, length), blocks in recordings.items()]


def pairs(set_ups: Sequence[dict[str, Floats]], variant: str) -> AtRest:
    """The variant's rounds against those of one head."""
    return AtRest(tuple(Pair(each[variant], (each[BASE],)) for each in set_ups))


def pooled(share: float) -> Callable[[AtRest], Mean]:
    """The lowest share of all rounds together; its error by each set-up's influence on it."""

    def estimate(both: AtRest) -> Mean:
        logs, influences, effective = [], [], []
        for rounds in ([p.variant for p in both.pairs], [p.baselines[0] for p in both.pairs]):
            every = np.concatenate(rounds)
            mean, edge = tail_mean(every, share), np.quantile(every, share)
            below = np.array([np.minimum(each - edge, 0.0).mean() / share for each in rounds])
            counts = np.array([float((each <= edge).sum()) for each in rounds])
            logs.append(math.log(mean))
            influences.append((below - below.mean()) / mean)
            effective.append(float(counts.sum() ** 2 / (counts**2).sum()))
        error = mean_of(influences[0] - influences[1]).error
        return Mean(logs[0] - logs[1], error, max(1.0, min(effective) - 1.0), len(both))

    return estimate


def equal(both: AtRest) -> Mean:
    """Each set-up's lowest tenth, all alike."""
    return mean_of(
        log_tails([p.variant for p in both.pairs]) - log_tails([p.baselines[0] for p in both.pairs])
    )


def weighed(both: AtRest) -> Mean:
    """Each set-up's lowest tenth, weighed by how calm it was, without what the quantiles disagree by."""
    mean = both.mean()
    return Mean(mean.value, mean.error, mean.freedom, mean.n)


ESTIMATORS: dict[str, Callable[[AtRest], Mean]] = {
    "medians of paired ratios": AtRest.typical,
    **{f"all rounds pooled, lowest {share:.0%}": pooled(share) for share in SHARES},
    "set-ups' lowest tenth, alike": equal,
    "set-ups' lowest tenth, weighed": weighed,
    "the same and the disagreement (used)": AtRest.mean,
}
OF_LOW_TAIL = [name for name in ESTIMATORS if "lowest" in name and "alike" not in name]


def calm_values(recordings: Sequence[Recording]) -> dict[tuple[float, str], float]:
    """By length and variant, from the calmest recording of that length; identical code differs by nothing."""
    values = {}
    for length in {recording.length_ms for recording in recordings}:
        alike = [recording for recording in recordings if recording.length_ms == length]
        for variant in VARIANTS:
            having = [recording for recording in alike if variant in recording.set_ups[0]]
            if having:
                both = pairs(max(having, key=lambda recording: recording.calm).set_ups, variant)
                low = [ESTIMATORS[name](both).value for name in OF_LOW_TAIL]
                values[length, variant] = 0.0 if variant == "A2" else float(np.mean(low))
    return values


def scored(recording: Recording, variant: str, truth: float) -> dict[str, tuple[float, float, float]]:
    """By estimator: mean square error, coverage and median half-width over the draws."""
    rng = np.random.default_rng(1)
    scores: dict[str, tuple[list[float], list[float], list[float]]] = {n: ([], [], []) for n in ESTIMATORS}
    for _ in range(DRAWS):
        at = rng.choice(len(recording.set_ups), min(DRAWN, len(recording.set_ups) // 2), replace=False)
        both = pairs([recording.set_ups[number] for number in at], variant)
        for name, estimate in ESTIMATORS.items():
            interval = estimate(both).interval()
            scores[name][0].append((interval.value - truth) ** 2)
            scores[name][1].append(interval.low <= truth <= interval.high)
            scores[name][2].append((interval.high - interval.low) / 2)
    return {
        name: (float(np.mean(errors)), float(np.mean(held)), float(np.median(widths)))
        for name, (errors, held, widths) in scores.items()
    }


def table(recordings: Sequence[Recording]) -> list[str]:
    """Markdown: estimators in rows, conditions in columns, both heads apart from what hardly differs."""
    truths = calm_values(recordings)
    conditions = list(dict.fromkeys(recording.condition for recording in recordings))
    columns = [(condition, kind) for condition in conditions for kind in ("both heads", "same and operator")]
    cells: dict[tuple[str, str], list[dict[str, tuple[float, float, float]]]] = {c: [] for c in columns}
    for recording in recordings:
        for variant in VARIANTS:
            if variant in recording.set_ups[0]:
                kind = "both heads" if variant == "B" else "same and operator"
                truth = truths[recording.length_ms, variant]
                cells[recording.condition, kind].append(scored(recording, variant, truth))
    lines = [
        "| estimate | " + " | ".join(f"{condition}: {kind}" for condition, kind in columns) + " |",
        "|---" * (len(columns) + 1) + "|",
    ]
    for name in ESTIMATORS:
        shown = [_cell([scores[name] for scores in cells[column]]) for column in columns]
        lines.append(f"| {name} | " + " | ".join(shown) + " |")
    return lines


def _cell(scores: Sequence[tuple[float, float, float]]) -> str:
    errors, held, widths = np.array(scores).T
    return f"{100 * math.sqrt(errors.mean()):.2f} / {held.mean():.0%} / {100 * widths.mean():.2f}"


def main(arguments: list[str]) -> None:
    """Print what was read, the calm values and the table."""
    if len(arguments) != 1:
        raise UserError("expected FOLDER, with recorded rounds")
    recordings = load(Path(arguments[0]))
    for recording in recordings:
        print(
            f"{recording.condition}, rounds of {recording.length_ms:g} ms: {len(recording.set_ups)} set-ups, "
            f"calm in {recording.calm:.0%} of rounds"
        )
    print(
        "calm values, %:",
        {f"{n} {ms:g} ms": round(100 * v, 1) for (ms, n), v in calm_values(recordings).items()},
    )
    print("\n".join(["", *table(recordings)]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
