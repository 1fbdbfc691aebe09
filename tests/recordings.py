"""Made-up recordings of trust: units whose rounds have a known effect, in an hour of a known mood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from bench.results.recording_file import Head, Unit, append, opened, packed
from bench.stats.estimates import Floats
from bench.trust.variants import BASE
from tests.made_up import at_rest_pairs
from tests.scenarios import CALM, Hour

ROUNDS = 40
START = datetime(2026, 11, 26, 8, tzinfo=timezone.utc)
STEP_S = 1.3e-3
EFFECTS = {"identical": 0.0, "operator": 0.045, "part_operator": 0.02, "every_20": 0.0, "one_head": -0.11}
HEAD = Head(machine="m", rounds=ROUNDS, variants=(BASE, *EFFECTS))


def units(
    count: int,
    hour: Hour = CALM,
    *,
    seed: int = 0,
    condition: str = "alone",
    pair_s: float = 4.0,
    start: datetime = START,
    effects: Mapping[str, float] = EFFECTS,
) -> list[Unit]:
    """So many units, ten seconds after each other; log ratios to the base by variant."""
    rng = np.random.default_rng(seed)
    rounds: dict[str, list[Floats]] = {}
    for name, effect in effects.items():
        period = 20 if name == "every_20" else 0
        pairs = at_rest_pairs(rng, hour, effect=effect, set_ups=count, rounds=ROUNDS, period=period)
        rounds[name] = [pair.variant for pair in pairs]
        rounds.setdefault(BASE, [pair.baselines[0] for pair in pairs])
    return [
        Unit(
            at=(start + timedelta(seconds=10 * number)).isoformat(),
            condition=condition,
            revision="r",
            pair_s=pair_s,
            iterations=10,
            us={name: packed((STEP_S * sides[number]).tolist()) for name, sides in rounds.items()},
        )
        for number in range(count)
    ]


def kept_in(path: Path, head: Head, recorded: Sequence[Unit]) -> None:
    """A recording as a command leaves it."""
    lines = opened(path, head, new=not path.exists())
    for unit in recorded:
        append(lines, unit)
    lines.close()
