"""What is said of a run as a whole, from made-up rounds and from the real run that is kept."""

from __future__ import annotations

import pytest

from bench.answers.whole_run import above_rest, overrun, restless
from bench.records.run import Block, Round, SetUp
from tests.test_harness import question

(GROUP,) = question("slow", "quick").groups()


def blocks(*ms: list[float]) -> list[Block]:
    """Set-ups in which the baseline's rounds took so many milliseconds."""
    return [_block(number, {"slow": rounds, "quick": [2e6]}) for number, rounds in enumerate(ms)]


def _block(number: int, rounds: dict[str, list[float]]) -> Block:
    set_ups = {
        name: SetUp(
            case=f"q/p/{name}",
            images=1,
            set_up_s=0.0,
            first_call_s=1.0,
            warm_up=[],
            rounds=[Round(seconds=1e-3 * t, iterations=1) for t in times],
            steady=True,
        )
        for name, times in rounds.items()
    }
    return Block(group=GROUP.name, invocation=0, index=number, seconds=1.0, set_ups=set_ups)


@pytest.mark.parametrize(
    ("spent_s", "budget_s", "said"),
    [
        (13.0, 1.0, "took 13 s, not the 1 s asked"),
        (188.0, 5.0, "took 188 s, not the 5 s asked"),
        (5.9, 1.0, None),  # six times as long, yet five seconds
        (359.0, 300.0, None),  # a minute, yet a fifth
        (361.0, 300.0, "took 361 s, not the 300 s asked"),
    ],
)
def test_a_budget_counts_as_overrun_in_share_and_in_seconds(
    spent_s: float, budget_s: float, said: str | None
) -> None:
    found = overrun(spent_s, budget_s)
    assert (found is None) == (said is None)
    assert (said or "") in (found or "")


CALM, SLOW = [1.0, 1.05, 1.1], [1.8, 1.75, 1.0, 1.9]


@pytest.mark.parametrize(
    ("rounds", "said"),
    [
        ([], None),
        ([CALM], None),
        ([CALM] * 4, None),
        ([*[CALM] * 4, SLOW], None),
        ([*[CALM] * 3, SLOW], "in 1 of 4 set-ups"),
        ([CALM, SLOW], "in 1 of 2 set-ups"),
        ([[1.0, 1.0, 1.9], [1.0, 9.0, 1.0]], None),  # bursts within set-ups that are calm else
    ],
)
def test_a_restless_machine_is_told_by_the_set_ups_of_the_baseline(
    rounds: list[list[float]], said: str | None
) -> None:
    found = restless([GROUP], {GROUP.name: blocks(*rounds)})
    assert (found is None) == (said is None)
    assert (said or "") in (found or "")


def test_the_control_counts_with_the_baseline_and_a_failed_baseline_with_nothing() -> None:
    (only_quick,) = blocks(CALM)
    del only_quick.set_ups["slow"]
    assert above_rest([only_quick], "slow") == []
    both = _block(0, {"slow": [1.0, 1.0], "control": [2.0, 2.0, 2.0]})
    assert above_rest([both], "slow") == [pytest.approx(2.0)]
