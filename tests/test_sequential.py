"""Looking often and still erring seldom: the spending, the decisions, Holm over benchmarks."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.stats import sequential
from bench.stats.estimates import Floats, Mean, mean_of
from bench.stats.ratios import Effects
from bench.stats.rest import AtRest
from bench.stats.sequential import (
    Decision,
    Look,
    Stream,
    at_look,
    decide,
    grid,
    holm,
    levels,
    seen,
    spent,
    times_the_budget,
)
from bench.stats.verdict import judge
from tests.made_up import Hour, alike, at_rest_pairs, from_rounds
from tests.scenarios import BURSTY, CALM, RESTLESS

ALPHA, TOLERANCE = 0.05, 0.02
EDGE = math.log1p(TOLERANCE)
SPREAD = 0.01
COUNTS = (5, 8, 12, 18, 27, 36)
LOOKS = tuple(Look(n, n / COUNTS[-1]) for n in COUNTS)
EXPERIMENTS = 2000
# The binomial count that is exceeded once in a thousand times when the true rate is alpha.
MOST = ALPHA * EXPERIMENTS + 3.1 * math.sqrt(ALPHA * (1 - ALPHA) * EXPERIMENTS)

Noise = Callable[[np.random.Generator], Floats]
NOISES: dict[str, Noise] = {
    "normal": lambda rng: rng.normal(size=COUNTS[-1]),
    "heavy tails": lambda rng: rng.standard_t(3, size=COUNTS[-1]),
    "bursts": lambda rng: (
        rng.normal(size=COUNTS[-1]) * rng.choice([1.0, 10.0], p=[0.9, 0.1], size=COUNTS[-1])
    ),
}


def streams(noise: str, effect: float) -> list[Stream]:
    rng = np.random.default_rng(7)
    return [Stream(alike(effect + SPREAD * NOISES[noise](rng)), LOOKS, TOLERANCE) for _ in range(EXPERIMENTS)]


shares = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12).map(sorted)


@given(shares, st.floats(0.001, 0.2))
def test_all_looks_together_spend_no_more_than_alpha(found: list[float], alpha: float) -> None:
    parts = levels([Look(number + 5, share) for number, share in enumerate(found)], alpha)
    assert all(part >= 0.0 for part in parts)
    assert sum(parts) == pytest.approx(spent(found[-1], alpha))
    assert sum(parts) <= alpha * (1 + 1e-12)


def test_the_whole_budget_spends_the_whole_of_alpha() -> None:
    assert spent(1.0, ALPHA) == pytest.approx(ALPHA)
    assert spent(0.0, ALPHA) == 0.0
    assert 0.0 < spent(0.25, ALPHA) < 0.25 * ALPHA


@pytest.mark.parametrize(("at_rest", "points"), [(False, [5, 8, 12, 18, 27]), (True, [10, 15, 22, 33, 50])])
def test_looks_grow_apart(at_rest: bool, points: list[int]) -> None:
    first = list(islice(grid(at_rest), 10))
    assert first[:5] == points
    assert all(after > before for before, after in pairwise(first))


@pytest.mark.parametrize("noise", NOISES)
def test_without_an_effect_hardly_any_verdict_is_a_change(noise: str) -> None:
    made = [decide(stream, ALPHA).verdict for stream in streams(noise, 0.0)]
    assert sum(verdict in ("slower", "faster") for verdict in made) <= MOST


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_on_the_edge_of_the_tolerance_any_verdict_is_rare(noise: str, side: float) -> None:
    """There the interval has to miss the truth for any verdict but undecided."""
    made = [decide(stream, ALPHA).verdict for stream in streams(noise, side * EDGE)]
    assert sum(verdict != "undecided" for verdict in made) <= MOST


def restless(effect: float, rng: np.random.Generator) -> Effects:
    """Units of two set-ups of eight rounds on a machine that is restless now and then, in bursts."""
    shape = (COUNTS[-1], 2, 8)
    scale = 0.02 * rng.choice([1.0, 6.0], p=[0.7, 0.3], size=(*shape[:2], 1))
    head, base = (scale * rng.standard_t(3, size=shape) for _ in range(2))
    return from_rounds(effect + 0.004 * rng.normal(size=(*shape[:2], 1)) + head, base)


def restless_head(rng: np.random.Generator) -> Effects:
    """Code that makes two of five set-ups 8 % slower and restless: 3.1 % on the mean."""
    shape = (COUNTS[-1], 2, 16)
    slow = rng.random((*shape[:2], 1)) < 0.4
    base = 0.02 * rng.normal(size=shape)
    head = np.where(slow, 0.08 + 0.1 * rng.normal(size=shape), 0.02 * rng.normal(size=shape))
    return from_rounds(head, base)


def test_code_that_is_restless_itself_is_not_weighed_away() -> None:
    rng = np.random.default_rng(13)
    made = [decide(Stream(restless_head(rng), LOOKS, TOLERANCE), ALPHA).verdict for _ in range(60)]
    assert "same" not in made


def test_a_slow_down_of_few_rounds_is_not_the_same() -> None:
    """One round in seven takes 2.4 times as long: the median of the others does not see it."""
    rng = np.random.default_rng(14)
    shape = (COUNTS[-1], 2, 16)
    for _ in range(40):
        head = 0.02 * rng.normal(size=shape) + np.log(2.4) * (rng.random(shape) < 1 / 7)
        decision = decide(Stream(from_rounds(head, 0.02 * rng.normal(size=shape)), LOOKS, TOLERANCE), ALPHA)
        assert decision.verdict in ("undecided", "slower")
        assert decision.few_slow_rounds


def test_what_the_sums_hold_back_no_budget_decides() -> None:
    """The medians say same as clearly as can be; more units would find both as they are."""
    rng = np.random.default_rng(14)
    shape = (COUNTS[-1], 2, 16)
    quiet, other = (0.002 * rng.normal(size=shape) for _ in range(2))
    slow = np.log(2.4) * (rng.random(shape) < 1 / 7)
    made = [
        decide(Stream(from_rounds(head, base), LOOKS, TOLERANCE), ALPHA)
        for head, base in ((quiet + slow, other), (other, quiet + slow), (quiet, other))
    ]
    assert [(d.verdict, d.held_back) for d in made] == [("undecided", True)] * 2 + [("same", False)]
    assert all(times_the_budget(d, TOLERANCE) is None for d in made[:2])
    usual = made[0]._replace(held_back=False)
    assert times_the_budget(usual, TOLERANCE) == 1.0  # what the medians alone would have said


def test_weighing_by_how_restless_the_machine_was_errs_no_more() -> None:
    rng = np.random.default_rng(11)
    made = [decide(Stream(restless(EDGE, rng), LOOKS, TOLERANCE), ALPHA).verdict for _ in range(400)]
    wrong = sum(verdict != "undecided" for verdict in made)
    assert wrong <= ALPHA * 400 + 3.1 * math.sqrt(ALPHA * (1 - ALPHA) * 400)


def test_weighing_decides_what_equal_weights_leave_undecided() -> None:
    rng = np.random.default_rng(12)
    streams = [restless(math.log(1.03), rng) for _ in range(100)]
    weighed, equal = (
        sum(decide(Stream(effects, LOOKS, TOLERANCE), ALPHA).verdict == "slower" for effects in told)
        for told in (streams, [alike(effects.values) for effects in streams])
    )
    assert weighed > 1.3 * equal


def test_looking_as_often_without_spending_would_err_too_often() -> None:
    """The same looks with 95 % intervals: what the spending is for, and that these tests can fail."""

    def naive(stream: Stream) -> bool:
        found = [stream.effects.part(0, look.n).mean().interval(1 - ALPHA) for look in stream.looks]
        return any(judge(math.exp(f.low), math.exp(f.high), TOLERANCE) != "undecided" for f in found)

    assert sum(map(naive, streams("normal", EDGE))) > 2 * MOST


def test_a_clear_slow_down_is_found_at_once() -> None:
    made = [decide(stream, ALPHA) for stream in streams("normal", math.log(1.10))]
    assert np.mean([decision.verdict == "slower" for decision in made]) > 0.999
    assert np.median([decision.estimate.n for decision in made]) <= 8


def test_the_interval_of_a_decision_is_that_of_its_look() -> None:
    stream = streams("normal", math.log(1.10))[0]
    decision = decide(stream, ALPHA)
    position = COUNTS.index(decision.estimate.n)
    level = levels(LOOKS, ALPHA)[position]
    assert decision == at_look(stream.effects.part(0, COUNTS[position]), level, TOLERANCE)
    earlier = [
        at_look(stream.effects.part(0, n), part, TOLERANCE).verdict
        for n, part in zip(COUNTS[:position], levels(LOOKS, ALPHA), strict=False)
    ]
    assert set(earlier) <= {"undecided"}


def test_several_benchmarks_share_one_error_rate() -> None:
    """Five on the edge: in hardly any experiment does a single one of them get a verdict."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(400):
        five = {
            str(number): Stream(alike(EDGE + SPREAD * rng.normal(size=36)), LOOKS, TOLERANCE)
            for number in range(5)
        }
        wrong += any(decision.verdict != "undecided" for decision in holm(five, ALPHA).values())
    assert wrong <= ALPHA * 400 + 3.1 * math.sqrt(ALPHA * (1 - ALPHA) * 400)


def test_what_is_decided_leaves_the_others_more() -> None:
    rng = np.random.default_rng(1)
    candidates = [Stream(alike(0.028 + SPREAD * rng.normal(size=36)), LOOKS, TOLERANCE) for _ in range(200)]
    border = next(
        s
        for s in candidates
        if decide(s, ALPHA / 2).verdict == "undecided" and decide(s, ALPHA).verdict == "slower"
    )
    clear = Stream(alike(0.3 + SPREAD * rng.normal(size=36)), LOOKS, TOLERANCE)
    assert holm({"clear": clear, "border": border}, ALPHA)["border"].verdict == "slower"
    assert holm({"other": border, "border": border}, ALPHA)["border"].verdict == "undecided"


@given(st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=40), st.floats(0.001, 0.1))
def test_holm_never_decides_more_than_the_whole_alpha_would(values: list[float], tolerance: float) -> None:
    looks = tuple(look for look in LOOKS if look.n <= len(values)) or (Look(len(values), 1.0),)
    stream = Stream(alike(values), looks, tolerance)
    together = holm({"a": stream, "b": stream}, ALPHA)
    assert together["a"] == together["b"]
    if together["a"].verdict != "undecided":
        assert decide(stream, ALPHA).verdict != "undecided"


def test_one_unit_decides_nothing() -> None:
    decision = decide(Stream(alike([0.5]), (Look(1, 1.0),), TOLERANCE), ALPHA)
    assert decision.verdict == "undecided"
    assert seen(decision, TOLERANCE) == math.inf
    assert times_the_budget(decision, TOLERANCE) is None


def test_what_could_have_been_seen_shrinks_with_the_data() -> None:
    rng = np.random.default_rng(0)
    values = EDGE + SPREAD * rng.normal(size=400)
    few, many = (at_look(alike(values[:n]), 0.01, TOLERANCE) for n in (10, 400))
    assert seen(few, TOLERANCE) > seen(many, TOLERANCE) > TOLERANCE


def test_the_budget_that_would_decide_follows_from_the_distance_to_the_edge() -> None:
    """So many units of the same spread and mean reach just less far than the edge."""
    values = np.array([0.0, 0.02, 0.01, 0.01, 0.02, 0.0])
    decision = Decision("undecided", mean_of(values), 0.05, mean_of(values))
    times = times_the_budget(decision, TOLERANCE)
    assert times is not None
    count = round(times * len(values))
    reaches = [stats.t.ppf(0.975, n - 1) * np.std(values, ddof=1) / math.sqrt(n) for n in (count - 1, count)]
    assert reaches[1] < EDGE - np.mean(values) <= reaches[0]


def test_on_the_edge_itself_no_budget_decides() -> None:
    mean = mean_of(EDGE + np.array([-0.01, 0.0, 0.01]))
    decision = Decision("undecided", mean, 0.05, mean)
    assert times_the_budget(decision, TOLERANCE) is None


def looking(monkeypatch: pytest.MonkeyPatch, *excesses: float) -> Callable[[float], Decision]:
    """A comparison that is the same at rest at every look, and takes so much more now and then."""
    at_rest = Mean(value=0.0, error=0.001, freedom=20.0, n=21)
    said = iter(excesses)

    def at(_: object, error_rate: float, __: float) -> Decision:
        more = Mean(value=next(said), error=0.01, freedom=20.0, n=21)
        clear = more.value > 0.1
        verdict, cause = ("slower", "now and then") if clear else ("same", "at rest")
        return Decision(verdict, at_rest, error_rate, now_and_then=more, cause=cause)  # type: ignore[arg-type]

    monkeypatch.setattr(sequential, "at_look", at)
    effects = alike(np.zeros(COUNTS[-1]))

    def decided(share: float) -> Decision:
        looks = tuple(Look(n, share * (i + 1) / len(excesses)) for i, n in enumerate(COUNTS[: len(excesses)]))
        return decide(Stream(effects, looks, TOLERANCE), ALPHA)

    return decided


def test_what_looks_slower_now_and_then_goes_on_while_there_is_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert looking(monkeypatch, 0.05)(0.5).verdict == "undecided"
    assert looking(monkeypatch, 0.05, 0.2)(1.0).cause == "now and then"
    assert looking(monkeypatch, 0.05, 0.05)(1.0).verdict == "same"  # the budget is spent


def test_what_does_not_look_slower_is_done_with(monkeypatch: pytest.MonkeyPatch) -> None:
    assert looking(monkeypatch, 0.5 * EDGE)(0.5).verdict == "same"
    assert looking(monkeypatch, 0.5 * EDGE, 0.2)(1.0).verdict == "same"  # at its first look


@pytest.mark.parametrize("hour", [CALM, BURSTY, RESTLESS], ids=lambda hour: hour.name)
def test_occasional_work_is_called_and_nothing_else_is(hour: Hour) -> None:
    """One step of twenty twice as long beside identical code, by looks at a third of a budget and later."""
    rng = np.random.default_rng(20)
    counts = (10, 15, 22, 33)
    looks = tuple(Look(n, n / counts[-1]) for n in counts)

    def decided(period: int) -> Decision:
        pairs = at_rest_pairs(rng, hour, effect=0.0, set_ups=counts[-1], period=period)
        return decide(Stream(AtRest(pairs), looks, TOLERANCE), ALPHA)

    called = {period: [decided(period) for _ in range(30)] for period in (0, 20)}
    assert not any(made.verdict in ("slower", "faster") for made in called[0])
    assert sum(made.verdict == "slower" and made.cause == "now and then" for made in called[20]) >= 24
