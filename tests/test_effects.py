"""How log ratios come from rounds: what weighs them, what never does, and that the interval holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.records.run import CONTROL, Block, Round, SetUp
from bench.stats.estimates import Floats, mean_of
from bench.stats.ratios import (
    Effects,
    Pair,
    against_baseline,
    calmness,
    effects_of,
    log_effects,
    log_times,
    only,
    scatter,
    weighted_median,
)
from tests.made_up import alike, from_rounds

NAMES = ("base", CONTROL, "one", "other", "variant")
MADE_UP = dict(zip(NAMES, (0.0, 0.0, 0.05, 0.3, 0.1), strict=True))  # log times on a calm machine


def set_up(case: str, iteration_s: list[float]) -> SetUp:
    rounds = [Round(seconds=10 * s, iterations=10) for s in iteration_s]
    return SetUp(
        case=case, images=128, set_up_s=0.1, first_call_s=0.01, warm_up=[], rounds=rounds, steady=True
    )


def block(**iteration_s: list[float]) -> Block:
    made = {name: set_up(f"q/p/{name}", times) for name, times in iteration_s.items()}
    return block_of(made)


def block_of(set_ups: dict[str, SetUp]) -> Block:
    return Block(group="q/p", invocation=0, index=0, seconds=1.0, set_ups=set_ups)


def test_the_effect_of_a_block_is_the_median_over_its_pairs() -> None:
    blocks = [block(base=[1.0, 2.0, 4.0], other=[2.0, 4.0, 100.0])]
    assert log_effects(blocks, "other", "base").values == pytest.approx([math.log(2.0)])


def test_a_block_without_the_variant_counts_for_nothing() -> None:
    blocks = [block(base=[1.0], other=[2.0]), block(base=[1.0])]
    assert len(log_effects(blocks, "other", "base").values) == 1
    assert len(log_times(blocks, "base")) == 2


@given(st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=12))
def test_equal_weights_are_students_t(sample: list[float]) -> None:
    weighed, plain = alike(sample).mean(), mean_of(np.array(sample))
    assert (weighed.value, weighed.freedom, weighed.n) == pytest.approx(
        (plain.value, plain.freedom, plain.n), abs=1e-12
    )
    assert weighed.error == pytest.approx(plain.error, abs=1e-12)


def test_set_ups_of_a_unit_count_as_one_observation() -> None:
    """Four set-ups that share everything tell no more than one."""
    values = np.array([0.01, -0.02, 0.015, 0.0, 0.003])
    shared = alike(np.tile(values[:, None], 4)).mean()
    assert (shared.error, shared.n) == (pytest.approx(mean_of(values).error), 5)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_at_least_half_of_the_set_ups_keep_their_full_weight(errors: list[float]) -> None:
    values = np.zeros(len(errors))
    found = Effects(values, np.array(errors), values).weights()
    assert (found > 0).all()
    assert np.sum(found == found.max()) >= len(found) / 2


def test_the_scatter_is_the_standard_deviation_without_the_bursts() -> None:
    """Of normal rounds, by experiment; one wild round in sixteen changes little."""
    rng = np.random.default_rng(4)
    rounds = rng.normal(0.0, 0.05, (4000, 16))
    calm = np.mean([scatter(list(row)) for row in rounds])
    assert calm == pytest.approx(0.05, rel=0.1)
    rounds[:, 0] = 5.0
    assert np.mean([scatter(list(row)) for row in rounds]) < 1.3 * calm
    assert math.isnan(scatter([0.1] * 5))


def test_how_restless_it_was_does_not_depend_on_which_side_was() -> None:
    rng = np.random.default_rng(6)
    calm, wild = np.exp(0.01 * rng.normal(size=16)), np.exp(0.2 * rng.normal(size=16))
    one, other = effects_of([Pair(list(wild), list(calm))]), effects_of([Pair(list(calm), list(wild))])
    assert one.errors == pytest.approx(other.errors)
    assert one.errors[0] == pytest.approx(scatter(list(np.log(calm))) * math.sqrt(math.pi / 2 / 16))


def test_restless_set_ups_count_less_and_the_interval_still_holds() -> None:
    """10 set-ups of 12 rounds, a third of them on a machine six times as restless."""
    rng = np.random.default_rng(5)
    held, weighed, equal = 0, [], []
    for _ in range(1500):
        scale = 0.015 * rng.choice([1.0, 6.0], p=[0.7, 0.3], size=(10, 1))
        one, other = (scale * rng.standard_t(3, (10, 12)) for _ in range(2))
        effects = from_rounds(0.1 + 0.003 * rng.normal(size=(10, 1)) + one, other)
        interval = effects.mean().interval()
        held += interval.low <= 0.1 <= interval.high
        weighed.append(effects.mean().value)
        equal.append(alike(effects.values).mean().value)
    assert abs(held / 1500 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 1500)
    assert np.std(weighed) < 0.7 * np.std(equal)


def restless_blocks(rng: np.random.Generator, count: int, rounds: int, more: float = 0.0) -> list[Block]:
    """Blocks on a machine that is restless for two fifths of the time, in spells of some thirty rounds.

    A spell slows everything by about an eighth and the variant by ``more`` beside it; all scatter
    three times as much, and one round in ten is a burst at any time.
    """
    begins = rng.random(count * rounds) < 0.03
    begins[0] = True
    spells = (rng.random(count * rounds) < 0.4)[
        np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))
    ]
    slow = np.array([0.12] * 4 + [0.12 + more])
    blocks = []
    for spell in spells.reshape(count, rounds, 1).astype(float):
        logs = np.array(list(MADE_UP.values())) + 0.004 * rng.normal(size=5)
        noise = 0.02 * (1 + 2 * spell) * rng.standard_t(3, (rounds, 5))
        bursts = (rng.random((rounds, 5)) < 0.1) * rng.exponential(0.2, (rounds, 5))
        times = np.exp(logs + spell * slow * rng.gamma(4.0, 0.25, (rounds, 1)) + noise + bursts)
        blocks.append(block(**dict(zip(NAMES, times.T.tolist(), strict=True))))
    return blocks


def times_of(block: Block) -> dict[str, list[float]]:
    return {name: [r.iteration_s for r in made.rounds] for name, made in block.set_ups.items()}


def plain_mean(blocks: list[Block]) -> float:
    """Of the medians over the pairs of rounds, each counting alike."""
    logs = [{name: np.log(times) for name, times in times_of(block).items()} for block in blocks]
    return float(np.mean([np.median(of["variant"] - of["base"]) for of in logs]))


def test_the_interval_holds_on_a_restless_machine() -> None:
    """12 blocks of 16 rounds, 95 % within four standard errors; hardly wider where spells change no ratio."""
    rng = np.random.default_rng(7)
    held, weighed, plain = 0, [], []
    for _ in range(600):
        blocks = restless_blocks(rng, 12, 16)
        interval = log_effects(blocks, "variant", "base").mean().interval()
        held += interval.low <= 0.1 <= interval.high
        weighed.append(interval.value)
        plain.append(plain_mean(blocks))
    assert held / 600 > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 600)
    assert np.std(weighed) < 1.15 * np.std(plain)


def test_a_ratio_that_spells_change_is_nearly_that_of_a_calm_machine() -> None:
    """What loses a tenth more than others in a spell: less than half of the bias is left, and less spread."""
    rng = np.random.default_rng(8)
    weighed, plain = [], []
    for _ in range(200):
        blocks = restless_blocks(rng, 12, 16, more=0.1)
        weighed.append(log_effects(blocks, "variant", "base").mean().value - 0.1)
        plain.append(plain_mean(blocks) - 0.1)
    assert abs(np.mean(weighed)) < 0.5 * abs(np.mean(plain))
    assert np.std(weighed) < 0.9 * np.std(plain)


def test_two_measurements_of_the_baseline_tell_more_than_one() -> None:
    rng = np.random.default_rng(9)
    held, both, alone = 0, [], []
    for _ in range(400):
        blocks = restless_blocks(rng, 12, 16)
        interval = against_baseline(blocks, "variant", "base").mean().interval()
        held += interval.low <= 0.1 <= interval.high
        both.append(interval.value)
        alone.append(log_effects(blocks, "variant", "base").mean().value)
    assert held / 400 > 0.95 - 4 * math.sqrt(0.95 * 0.05 / 400)
    assert np.std(both) < 0.92 * np.std(alone)


@given(st.lists(st.floats(0.1, 10.0), min_size=16, max_size=16), st.integers(0, 2))
def test_what_is_compared_never_weighs_itself(times: list[float], which: int) -> None:
    """Whatever the rounds of a pair are, each counts as the other variants have it."""
    blocks = restless_blocks(np.random.default_rng(3), 5, 16)
    before = calmness(blocks, "variant", "base", CONTROL)
    made = block(
        **{name: [r.iteration_s for r in s.rounds] for name, s in blocks[2].set_ups.items()}
        | {("variant", "base", CONTROL)[which]: times}
    )
    after = calmness([*blocks[:2], made, *blocks[3:]], "variant", "base", CONTROL)
    for one, other in zip(before, after, strict=True):
        assert one is not None
        assert other is not None
        assert (one == other).all()


def test_the_slower_the_others_the_less_a_round_counts() -> None:
    calm = [1.0, 1.01, 0.99, 1.0, 1.02, 1.0, 1.0, 1.01]
    slow = [*calm[:4], *(1.3 * t for t in calm[4:])]
    [found] = calmness([block(base=calm, variant=calm, one=slow, other=slow)], "variant", "base")
    assert found is not None
    assert found[4:].max() < 0.5 * found[:4].min()


def test_without_others_nobody_tells_how_restless_it_was() -> None:
    times = [1.0, 1.1, 1.0, 0.9, 1.0, 1.2]
    assert calmness([block(base=times, variant=times)], "variant", "base") == [None]
    assert calmness([block(base=times, variant=times, one=times)], "variant", "base") == [None]
    few = [1.0, 1.1]
    assert calmness([block(base=few, variant=few, one=few, other=few)], "variant", "base") == [None]


def test_a_machine_without_any_noise_has_all_rounds_count_alike() -> None:
    same = {name: [math.exp(level)] * 8 for name, level in MADE_UP.items()}
    effects = against_baseline([block(**same)] * 6, "variant", "base")
    assert effects.values == pytest.approx([0.1] * 6)
    assert effects.weights() == pytest.approx([effects.weights()[0]] * 6)
    assert effects.mean().interval().high == pytest.approx(0.1)


def test_long_set_ups_count_more_than_short_ones() -> None:
    """By their rounds, where these tell how calm it was."""
    short, long = [1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.0, 1.1], [1.0, 1.1] * 16
    blocks = [block(**dict.fromkeys(NAMES, times)) for times in (short, short, short, short, long)]
    found = log_effects(blocks, "variant", "base")
    assert found.errors[4] == pytest.approx(found.errors[0] / 2)
    assert found.weights()[4] == pytest.approx(2 * found.weights()[0])  # four times, but for the bound


def test_a_control_that_failed_in_some_blocks_is_left_out() -> None:
    rng = np.random.default_rng(10)
    blocks = restless_blocks(rng, 6, 8)
    lost = {name: s for name, s in blocks[0].set_ups.items() if name != CONTROL}
    some = [block_of(lost), *blocks[1:]]
    assert len(against_baseline(some, "variant", "base")) == 6
    assert (
        against_baseline(some, "variant", "base").values == log_effects(some, "variant", "base").values
    ).all()
    plain = [
        [np.median(np.log(times_of(b)["variant"]) - np.log(times_of(b)[which])) for b in blocks]
        for which in ("base", CONTROL)
    ]
    few = only(blocks, ("base", CONTROL, "variant"))  # nobody weighs
    assert against_baseline(few, "variant", "base").values == pytest.approx(np.mean(plain, axis=0))


def test_identical_code_with_good_and_bad_set_ups_is_the_same_on_average() -> None:
    """One set-up in five of each variant is a fifth slower, whichever it is: no ratio leans to one side."""
    rng = np.random.default_rng(13)
    found = []
    for _ in range(1500):
        levels = np.where(rng.random((12, 5)) < 0.2, 0.2, 0.0)
        rounds = levels[:, None, :] + 0.01 * rng.normal(size=(12, 8, 5))
        blocks = [block(**dict(zip(NAMES, times.T.tolist(), strict=True))) for times in np.exp(rounds)]
        found.append(against_baseline(blocks, "variant", "base").mean().value)
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(len(found))


def test_what_a_round_counts_is_the_inverse_square_of_how_restless_it_was() -> None:
    """Beside the square of what is usual, here less than what two variants do to each other's caches."""
    rest, slow = [1.0] * 20, [math.exp(0.1)] * 2
    wild = [math.exp(0.5), *rest[1:], *slow]  # alone in its first round: the median of three is at rest
    blocks = [block(base=rest + slow, variant=rest + slow, one=rest + slow, other=wild, third=rest + slow)]
    [found] = calmness(blocks, "variant", "base")
    assert found is not None
    assert found == pytest.approx([1 / 0.03**2] * 20 + [1 / (0.03**2 + 0.1**2)] * 2)


def test_a_restless_machine_makes_restless_rounds_usual() -> None:
    """A third above in half of the rounds: what is usual lies there, so that these still count."""
    half = [1.0] * 4 + [1.3] * 6
    [found] = calmness([block(**dict.fromkeys(NAMES, half))], "variant", "base")
    assert found is not None
    above = math.log(1.3)
    assert found == pytest.approx([1 / above**2] * 4 + [1 / (2 * above**2)] * 6)


def test_a_set_up_that_was_restless_throughout_counts_less() -> None:
    calm, slow = [1.0] * 8, [1.2] * 8
    blocks = [block(**dict.fromkeys(NAMES, times)) for times in (calm, calm, slow, calm, calm)]
    found = log_effects(blocks, "variant", "base").weights()
    assert found[2] < 0.1 * found[0]
    assert found[[0, 1, 3, 4]] == pytest.approx([found[0]] * 4)


def test_the_degrees_of_freedom_are_those_of_the_set_ups_that_count() -> None:
    """Kish: the square of the sum of the weights over the sum of their squares, less one."""
    values = np.array([0.01, 0.02, 0.0, 0.03, 0.01, 0.02])
    found = Effects(values, np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0]), values).mean()
    assert found.freedom == pytest.approx(4.5**2 / 4.125 - 1)
    assert found.value == pytest.approx((values[:4].sum() + values[4:].sum() / 4) / 4.5)


def test_times_are_weighed_where_ratios_are() -> None:
    """In a training beside its first epoch there are three variants: neither is weighed."""
    blocks = only(restless_blocks(np.random.default_rng(14), 6, 8), ("base", "one", "variant"))
    plain = [float(np.median(np.log(times_of(made)["variant"]))) for made in blocks]
    assert log_times(blocks, "variant").values == pytest.approx(plain)
    assert (log_times(blocks, "variant").weights() == log_times(blocks, "variant").weights()[0]).all()
    assert log_effects(blocks, "variant", "base").bound == 1.0


def test_a_time_is_that_of_a_calm_machine() -> None:
    """Spells make everything an eighth slower for two fifths of the time."""
    rng = np.random.default_rng(12)
    blocks = restless_blocks(rng, 60, 16)
    weighed = log_times(blocks, "variant")
    plain = [float(np.median(np.log(times_of(made)["variant"]))) for made in blocks]
    assert 0.1 < weighed.mean().value < 0.1 + 0.5 * (float(np.mean(plain)) - 0.1)
    alone = [block_of({"variant": made.set_ups["variant"]}) for made in blocks]
    assert log_times(alone, "variant").values == pytest.approx(plain)


def test_the_control_is_held_against_the_baseline_alone() -> None:
    blocks = restless_blocks(np.random.default_rng(11), 6, 8)
    assert (
        against_baseline(blocks, CONTROL, "base").values == log_effects(blocks, CONTROL, "base").values
    ).all()


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20))
def test_with_equal_weights_it_is_the_median(values: list[float]) -> None:
    found = weighted_median(np.array(values), np.full(len(values), 3.0))
    assert found == pytest.approx(float(np.median(values)))


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 100)), min_size=1, max_size=20))
def test_a_weighted_median_has_half_of_the_weight_on_either_side(pairs: list[tuple[float, float]]) -> None:
    values, each = (np.array(column) for column in zip(*pairs, strict=True))
    found = weighted_median(values, each)
    assert values.min() <= found <= values.max()
    for side in (values < found - 1e-9, values > found + 1e-9):
        assert each[side].sum() <= each.sum() / 2 + each.max() / 2 + 1e-6


def test_rounds_that_count_little_change_little() -> None:
    values: Floats = np.array([0.1, 0.1, 0.11, 0.09, 5.0, 5.0, 5.0, 5.0])
    each: Floats = np.array([1.0, 1.0, 1.0, 1.0, 0.01, 0.01, 0.01, 0.01])
    assert weighted_median(values, each) == pytest.approx(0.1, abs=0.01)
