"""The sentences: what they claim, and what they leave undecided."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from bench.answers.devices import overtaking
from bench.answers.loading import fastest_loader, not_tried, parts_of_epoch
from bench.answers.sizes import growth, line, line_in_words, reaching, reaching_in_words
from bench.answers.training import level_change, slowing_down, too_few_batches
from bench.answers.words import price, quickest, takes, time_against, verdict_of
from bench.records.numbers import ranged
from bench.records.run import Case, Estimate, Level, Measured, Ratio, Setting, Verdict
from bench.stats.estimates import geometric


def estimate(value: float, reach: float = 0.0, n: int = 4) -> Estimate:
    return Estimate(value=value, low=value - reach, high=value + reach, confidence=0.95, n=n)


def known(
    iteration_s: float,
    *,
    images: int = 128,
    effect: Estimate | None = None,
    extra_s: Estimate | None = None,
    course_s: list[Estimate] | None = None,
    facts: list[dict[str, float]] | None = None,
    round_facts: dict[str, Estimate] | None = None,
    settings: dict[str, Setting] | None = None,
    times_s: list[float] | None = None,
    variant: str = "v",
) -> Measured:
    ratio = effect and Ratio(
        case="q/p/v", baseline="q/p/b", estimate=effect, verdict="undecided", detectable=0.05
    )
    return Measured(
        case=Case(question="q", part="p", variant=variant, workload="m:W", settings=settings or {}),
        images=images,
        iteration_s=estimate(iteration_s),
        images_per_s=estimate(images / iteration_s),
        first_call_s=estimate(0.03),
        facts={},
        effect=ratio,
        extra_first_call_s=extra_s,
        course_s=course_s or [],
        times_s=times_s or [iteration_s],
        course_facts=facts or [],
        round_facts=round_facts or {},
    )


def test_undecided_tells_what_could_have_been_seen() -> None:
    said = takes("Hybridized, the step", known(1e-3, effect=estimate(0.98, 0.05)))
    assert "undecided, this run would have called a slow-down of 5.0% or more; no reasonable --" in said
    assert said.endswith("so near the edge of 2%.")
    restless = takes("Hybridized, the step", known(1e-3, effect=estimate(0.8, 0.3)))
    assert restless.endswith(
        "no --budget decides while the machine is so restless: repeat in a quieter hour."
    )
    few = msgspec.structs.replace(known(1e-3, effect=estimate(0.98, 0.05)).effect, times=3.4)
    assert verdict_of(few).endswith("about 3.4 times as many set-ups decide (a larger --budget)")
    assert "even have called twice" in verdict_of(msgspec.structs.replace(few, detectable=math.inf))


def test_a_price_is_paid_after_as_many_steps_as_it_saves() -> None:
    plain, graph = known(1e-3), known(0.9e-3, effect=estimate(0.9, 0.05), extra_s=estimate(9.55e-3, 2e-3))
    assert "paid after 96 steps (51 to 232)" in price("Tracing", plain, graph)


@pytest.mark.parametrize(
    ("effect", "extra_s", "said"),
    [
        (estimate(0.9, 0.05), estimate(0.001, 0.002), "no extra cost was seen"),
        (estimate(1.1, 0.05), estimate(0.01, 0.002), "not paid back here"),
        (estimate(0.98, 0.05), estimate(0.01, 0.002), "to never)"),
    ],
)
def test_a_price_that_is_not_paid_is_not_claimed_to_be(
    effect: Estimate, extra_s: Estimate, said: str
) -> None:
    assert said in price("Tracing", known(1e-3), known(1e-3, effect=effect, extra_s=extra_s))


def training(ratio: Estimate, since: int = 3, images: int = 60_000) -> Measured:
    """Four epochs, and what the later ones take over the first one beside them."""
    facts = [{"denormal_share": 0.08}] * 4
    settings: dict[str, Setting] = {"images": images, "data": "mnist"}
    courses = [estimate(1.0)] * 4
    ran = known(1.0, effect=estimate(1.2, 0.05), course_s=courses, facts=facts, settings=settings)
    return msgspec.structs.replace(ran, level=Level(since=since, ratio=ratio))


def test_a_training_that_slows_down_is_told_from_the_epoch_on_where_it_does() -> None:
    said = level_change(training(estimate(1.7, 0.1)))
    assert said.startswith(
        "from epoch 3 on an epoch takes 1.70x (1.60 to 1.80) the time of its first: slower;"
    )
    assert "8.0%" in said


def test_a_training_that_keeps_its_speed_is_not_said_to_slow_down() -> None:
    assert level_change(training(estimate(1.0, 0.01))).startswith("training is no slower in 4 epochs")


def test_a_pass_over_fewer_images_is_no_epoch() -> None:
    short = "4 passes over 12,800 images (0.9 epochs, too few to show what more would)"
    said = level_change(training(estimate(1.0, 0.01), images=12_800))
    assert said.startswith(f"training is no slower in {short}: in the end a pass takes")
    assert "from pass 3 on a pass takes" in level_change(training(estimate(1.7, 0.1), images=12_800))


def test_a_quick_run_says_that_a_full_one_is_needed() -> None:
    short, full = (
        slowing_down({"epoch": {"keep": training(estimate(1.0), images=n)}}) for n in (12_800, 60_000)
    )
    assert short[1] == "What later epochs do takes a full run: python -m bench run drift trains 8 whole ones."
    assert not any("full run" in line for line in full)


def test_flushed_training_is_held_against_the_unflushed_one_and_says_so() -> None:
    both = {"keep": training(estimate(1.1, 0.01)), "flush": training(estimate(1.0, 0.01))}
    as_it_is, flushed = slowing_down({"epoch": both})
    assert "1.100x (1.090 to 1.110) the time of its first" in as_it_is
    unflushed = "takes 1.000x (0.990 to 1.010) the time of the unflushed training's first"
    assert unflushed in flushed
    (alone,) = slowing_down({"epoch": {"flush": both["flush"]}})
    assert unflushed in alone


def test_a_flushed_training_that_differs_from_the_start_has_no_change_of_level() -> None:
    ran = training(estimate(1.2, 0.01), since=2)
    assert ran.level is not None
    level = msgspec.structs.replace(ran.level, first=estimate(1.2, 0.01))
    told = level_change(msgspec.structs.replace(ran, level=level), "the unflushed training's")
    assert told.startswith("training differs from the first epoch on: an epoch takes 1.20x")
    assert "from epoch 2 on" in level_change(ran)


def test_what_cannot_be_flushed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.answers.training.possible", lambda: False)
    _, why = slowing_down({"epoch": {"keep": training(estimate(1.1, 0.01))}})
    assert why.startswith("Flushed ones were not tried: denormals cannot be flushed on ")


def test_a_training_too_noisy_to_tell_is_undecided() -> None:
    assert (
        "of more than 2% in 4 epochs is neither shown nor ruled out: in the end an epoch takes 1.10x"
        in level_change(training(estimate(1.1, 0.3)))
    )


def test_late_epochs_alone_claim_nothing_against_the_whole_training() -> None:
    ran = training(estimate(1.1, 0.02))
    ran = msgspec.structs.replace(
        ran, effect=msgspec.structs.replace(ran.effect, estimate=estimate(1.0, 0.05))
    )
    assert "neither shown nor ruled out" in level_change(ran)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("mnist", "On MNIST, as the tutorial does it (keep), from epoch 3"),
        (
            "synthetic",
            "On synthetic digits (nox -s train fetches MNIST), as the tutorial does it (keep), from",
        ),
    ],
)
def test_a_training_tells_what_it_was_on(data: str, said: str) -> None:
    ran = training(estimate(1.7, 0.1))
    ran = msgspec.structs.replace(ran, case=msgspec.structs.replace(ran.case, settings={"data": data}))
    sentences = slowing_down({"epoch": {"first_epoch": ran, "keep": ran, "flush": ran}})
    assert sentences[0].startswith(said)
    assert sentences[1].startswith("With denormals taken as zero (flush), from epoch 3")
    assert slowing_down({"epoch": {"flush": ran}})[0].startswith(said.partition(" as")[0])


@pytest.mark.parametrize(("batch_size", "fits"), [(128, True), (7500, True), (8571, True), (8572, False)])
def test_pieces_of_an_epoch_hold_a_batch_each(batch_size: int, fits: bool) -> None:
    why = too_few_batches({"images": 60_000, "batch_size": batch_size, "pieces": 8})
    assert (why is None) == fits
    assert why is None or "has 7 batches of 8,572 and is timed in 8 pieces" in why


def test_one_training_claims_nothing() -> None:
    assert "nothing is claimed" in level_change(training(estimate(2.0, math.inf, n=1)))


def sizes() -> list[Measured]:
    """Steps of 700 \N{MICRO SIGN}s and 3 \N{MICRO SIGN}s an image, twice."""
    return [
        known(700e-6 + 3e-6 * n, images=n, times_s=[700e-6 + 3e-6 * n, 700e-6 + 3e-6 * n])
        for n in (1, 32, 256, 2048)
    ]


def test_the_line_through_the_sizes_is_found_and_said_in_microseconds() -> None:
    fixed, each, departure = line(sizes())
    assert (fixed.value, each.value) == pytest.approx((700e-6, 3e-6))
    assert departure < 1e-9
    assert line_in_words(fixed, each, departure).startswith(
        "A step costs 700 (700 to 700) \N{MICRO SIGN}s and 3.00 (3.00 to 3.00) \N{MICRO SIGN}s an image"
    )


def test_the_size_that_reaches_a_share_is_the_smallest_that_does() -> None:
    rates = {m.images: m.images / m.iteration_s.value for m in sizes()}
    expected = min(n for n, rate in rates.items() if rate >= 0.5 * max(rates.values()))
    assert reaching(sizes(), 0.5).value == expected
    assert reaching_in_words(reaching(sizes(), 0.5)) == str(expected)


@pytest.mark.parametrize(
    ("unsplit", "said"),
    [
        (estimate(0.99, 0.02), "measuring the parts hardly changes it"),
        (estimate(0.7, 0.05), "so much slower"),
        (estimate(1.5, 0.05), "the parts mean little"),
        (estimate(0.8, 0.17), "measuring the parts slows it, and by how much is not known well"),
        (estimate(1.08, 0.05), "too noisy"),
        (estimate(1.0, 0.5), "too noisy"),
        (Estimate(value=1.0, low=0.0, high=math.inf, confidence=0.95, n=1), "too noisy"),
    ],
)
def test_the_parts_of_an_epoch_are_believed_only_when_the_unsplit_one_agrees(
    unsplit: Estimate, said: str
) -> None:
    tutorial = known(4.0, images=5120, round_facts=shares(0.75, 0.25, 0.0), variant="b")
    told = parts_of_epoch({"tutorial": tutorial, "unsplit": known(4.0, effect=unsplit)})
    assert (
        told[0] == "The tutorial's epoch of 5,120 images: waiting 75% (70 to 80), computing 25% (20 to 30), "
        "synchronising 0% (0 to 5); the loader limits it."
    )
    assert said in told[1]


def shares(*each: float, reach: float = 0.05, n: int = 4) -> dict[str, Estimate]:
    """Of an epoch's three parts."""
    names = ("waiting_share", "computing_share", "synchronising_share")
    return {name: estimate(share, reach, n) for name, share in zip(names, each, strict=True)}


def epoch_of_loading(wait: float, reach: float, fast: Estimate, verdict: Verdict) -> dict[str, Measured]:
    """The tutorial's epoch, its control and the fast way's, whose ratio to it is this."""
    parts = shares(wait, 0.95 - wait, 0.05, reach=reach)
    replaced = known(0.5, effect=fast, variant="fast")
    assert replaced.effect is not None
    ratio = msgspec.structs.replace(replaced.effect, verdict=verdict)
    return {
        "tutorial": known(4.0, round_facts=parts, variant="b"),
        "control": known(4.0, round_facts=parts, effect=estimate(1.0, 0.02)),
        "fast": msgspec.structs.replace(replaced, effect=ratio),
    }


def test_what_limits_an_epoch_says_what_follows() -> None:
    said = parts_of_epoch(epoch_of_loading(0.75, 0.05, estimate(0.12, 0.01), "faster"))
    assert said[0].endswith("the loader limits it.")
    assert said[1] == (
        "With the fast loader in its place an epoch takes 0.120x (0.110 to 0.130) the time: faster."
    )
    assert len(parts_of_epoch(epoch_of_loading(0.75, 0.05, estimate(0.9, 0.2), "undecided"))) == 1
    assert len(parts_of_epoch(epoch_of_loading(0.5, 0.05, estimate(0.12, 0.01), "faster"))) == 1


def test_the_control_counts_as_a_second_measurement_of_the_parts() -> None:
    """Alone each would leave open which part is the larger."""
    pair = epoch_of_loading(0.52, 0.05, estimate(0.12, 0.01), "faster")
    assert "the loader limits it" in parts_of_epoch(pair)[0]
    del pair["control"]
    assert "too alike to tell" in parts_of_epoch(pair)[0]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (shares(0.2, 0.7, 0.1), "the step limits it"),
        (shares(0.4, 0.4, 0.2), "too alike to tell which limits it"),
        (shares(0.47, 0.45, 0.08), "too alike to tell which limits it"),
        (shares(0.9, 0.1, 0.0, reach=math.inf, n=1), "one set-up does not tell which part"),
    ],
)
def test_what_limits_an_epoch_is_claimed_only_where_the_interval_says_so(
    found: dict[str, Estimate], said: str
) -> None:
    (told,) = parts_of_epoch({"fast": known(4.0, round_facts=found)})
    assert said in told


def at_rates(images: int, rates: list[float], variant: str) -> Measured:
    """What gives so many images a second, set-up by set-up, with the interval that the table shows."""
    m = known(images / float(np.mean(rates)), images=images, times_s=[images / r for r in rates])
    shown = geometric(np.log(rates))
    case = msgspec.structs.replace(m.case, variant=variant)
    return msgspec.structs.replace(m, case=case, images_per_s=shown)


def loading(rates: dict[str, list[float]], facts: dict[str, float] | None = None) -> dict[str, Measured]:
    """Loaders with so many images a second, set-up by set-up."""
    made = {}
    for name, each in rates.items():
        m = at_rates(1280, each, name)
        settings = {"workers": int(name.rpartition("_")[2])} if "_" in name else {}
        case = msgspec.structs.replace(m.case, settings=settings)
        made[name] = msgspec.structs.replace(m, case=case, facts=facts or {"first_batch_s": 0.12})
    return made


APART = {"workers_0": [1e4, 1.01e4, 0.99e4, 1e4], "workers_2": [2e4, 2.02e4, 1.98e4, 2e4]}
CLOSE = {**APART, "workers_5": [1.9e4, 2.1e4, 1.9e4, 2.05e4]}


def test_a_number_of_workers_is_the_quickest_only_where_the_others_are_slower() -> None:
    said = fastest_loader(loading(APART, {"first_batch_s": 0.12, "pss_bytes": 300 * 2**20}))
    assert said[0] == (
        "Of those tried, 2 workers are quickest for the DataLoader: 20,000 (19,740 to 20,260) images/s."
    )
    assert said[1] == (
        "With 2 workers: the first batch after 120 ms, 300 MiB of memory in all its processes."
    )
    assert said[2].startswith("Without workers it gives 10,000 (9,870 to 10,130) images/s")


def test_the_fewest_workers_that_are_not_shown_to_be_slower_are_enough() -> None:
    said = fastest_loader(loading({**CLOSE, "threads_1": [1e4] * 4, "threads_2": [0.9e4, 1.1e4, 1e4, 1e4]}))
    assert said[0].startswith("2 workers are enough for the DataLoader: 20,000 (19,740 to 20,260) images/s")
    assert said[3].startswith("1 worker is enough for the DataLoader with threads in place of processes: ")


def test_no_worker_may_be_enough_where_more_cannot_be_much_quicker() -> None:
    none = [1e4, 1.01e4, 0.99e4]
    said, start = fastest_loader(loading({"workers_0": none, "workers_2": [1.02e4, 1.02e4, 1.0e4]}))
    assert start == "With no workers: the first batch after 120 ms."
    assert said.startswith("No workers are enough for the DataLoader: ")
    assert "; 2 take 0.987x (0.973 to 1.001) the time." in said
    said, _ = fastest_loader(loading({"workers_0": none, "workers_1": [0.9e4, 1.5e4, 1.2e4]}))
    assert said.startswith(
        "Undecided how many workers are enough for the DataLoader: 1 takes 0.9x (0.5 to 1.6)"
    )
    assert said.endswith(") the time of none.")


def test_what_was_not_tried_is_told_with_the_reason() -> None:
    tried = loading({**APART, "workers_5": [1e4] * 4, "threads_2": [1e4] * 4, "threads_5": [1e4] * 4})
    few, own = not_tried(tried, (0, 2, 4), 5, 2)
    assert few == "Not tried on 2 cores: 4 workers, more than there are cores."
    assert own == "5 workers are more than the 2 cores: measured since they are the tutorial's."
    assert not_tried(tried, (0, 2), 5, 8) == []
    assert not_tried(tried, (0, 2, 4), 5, 1)[0].startswith("Not tried on 1 core: 2, 4 workers")


def test_the_tutorials_number_and_threads_are_among_what_a_quick_run_leaves_out() -> None:
    (quick,) = not_tried(loading(APART), (0, 1, 2), 5, 2)
    left = "1, 5 as processes; 1, 2, 5 as threads"
    assert quick == f"Numbers of workers that this run did not measure: {left}."


def test_a_device_that_never_overtakes_is_told_too() -> None:
    def part(verdict: Verdict) -> dict[str, Measured]:
        gpu = known(1e-3, effect=estimate(0.9, 0.05))
        assert gpu.effect is not None
        return {
            "cpu": known(1e-3),
            "gpu": msgspec.structs.replace(gpu, effect=msgspec.structs.replace(gpu.effect, verdict=verdict)),
        }

    results = {"batch_32": part("slower"), "batch_512": part("undecided")}
    assert overtaking(results, "the CPU") == ["gpu is not shown to overtake the CPU up to batch 512."]
    results["batch_2048"] = part("faster")
    assert overtaking(results, "the CPU") == ["gpu overtakes the CPU from batch 2048 on."]


def test_one_worker_is_no_workers() -> None:
    said = fastest_loader(loading({"workers_0": APART["workers_0"], "workers_1": APART["workers_2"]}))
    assert said[0].startswith(
        "Of those tried, 1 worker is quickest for the DataLoader: 20,000 (19,740 to 20,260) images/s"
    )


def test_one_set_up_tells_no_numbers_of_workers_apart() -> None:
    said = fastest_loader(loading({name: rates[:1] for name, rates in CLOSE.items()}))
    assert said[0] == "One set-up does not tell how many workers are enough for the DataLoader."


def test_what_failed_later_is_held_against_the_set_ups_it_had() -> None:
    """The machine was twice as slow in the last two: what has only the first ones is no quicker for that."""
    rates = {"workers_0": [1e4, 1e4, 0.5e4, 0.5e4], "workers_2": [0.9e4, 0.9e4]}
    best, rivals = quickest(list(loading(rates).values()))
    assert (best.case.variant, [m.case.variant for m in rivals]) == ("workers_2", ["workers_0"])


def test_the_fast_loader_is_told_by_its_ratio_and_its_interval() -> None:
    both = loading({**APART, "fast": [1e6] * 4})
    ratio = Ratio(
        case="q/p/fast",
        baseline="q/p/workers_0",
        estimate=estimate(0.01, 0.001),
        verdict="faster",
        detectable=0.1,
    )
    both["fast"] = msgspec.structs.replace(both["fast"], effect=ratio)
    assert "images/s and takes 0.0100x (0.0090 to 0.0110) the time of no workers." in fastest_loader(both)[-1]
    once = msgspec.structs.replace(ratio, estimate=estimate(0.01, math.inf, n=1))
    both["fast"] = msgspec.structs.replace(both["fast"], effect=once)
    assert "takes 0.01x (one set-up: no interval) the time" in fastest_loader(both)[-1]


def batch_sizes(rates: dict[int, list[float]]) -> dict[str, Measured]:
    return {str(n): at_rates(n, each, str(n)) for n, each in rates.items()}


QUICK = {1: [1.0e3, 1.1e3, 1.05e3], 128: [7.3e4, 1.02e5, 1.02e5], 4096: [1.98e5, 1.91e5, 1.86e5]}


def test_what_lies_far_below_in_every_set_up_is_no_rival() -> None:
    """Three set-ups of 128 are too few to be told slower at one error rate for all; a reader sees it."""
    told = growth(batch_sizes({**QUICK, 512: [1.5e5, 1.9e5, 1.7e5]}))
    assert told[0].endswith("at batch size 4096; 512 may give as much.")


def test_what_failed_early_is_not_held_against_an_interval_of_other_hours() -> None:
    rates = {"workers_0": [1e4, 1e4, *[0.5e4] * 8], "workers_2": [0.9e4, 0.91e4]}
    best, rivals = quickest(list(loading(rates).values()))
    assert (best.case.variant, [m.case.variant for m in rivals]) == ("workers_2", ["workers_0"])


def test_where_the_best_is_nearly_reached_is_told_with_what_may_be_as_quick() -> None:
    assert "Nine tenths of it are reached at 4096." in growth(batch_sizes(QUICK))[1]
    doubtful = growth(batch_sizes({**QUICK, 512: [1.5e5, 1.9e5, 1.5e5]}))[1]
    assert "though 512 may be as quick." in doubtful
    once = {size: rates[:1] for size, rates in QUICK.items()}
    assert ", by one set-up, which settles no size." in growth(batch_sizes(once))[1]


def test_the_best_batch_size_names_those_that_are_not_told_apart_from_it() -> None:
    few = {1: [1e3] * 4, 128: [1e5] * 4, 4096: [1.9e5, 2.1e5, 1.95e5, 2.1e5]}
    best = "The best throughput is 201,000 (185,000 to 218,000) images/s at batch size 4096"
    assert growth(batch_sizes(few))[0] == f"{best}."
    near = {**few, 1024: [1.9e5, 2.0e5, 1.95e5, 2.0e5], 2048: [1.9e5, 2.0e5, 2.0e5, 1.9e5]}
    told = growth(batch_sizes(near))[0]
    assert told == f"{best}; 1024 and 2048 may give as much."


@pytest.mark.parametrize(
    ("value", "reach", "said"),
    [
        (193_032.0, 1_840.0, "193,000 (191,200 to 194,900)"),
        (1_240.0, 121.0, "1,240 (1,120 to 1,360)"),
        (4.012, 0.17, "4.01 (3.84 to 4.18)"),
        (12.5, math.inf, "12.5"),
        (8_288.0, math.inf, "8,288"),
    ],
)
def test_numbers_have_the_digits_that_their_interval_justifies(value: float, reach: float, said: str) -> None:
    assert ranged(estimate(value, reach)) == said


def test_what_the_table_judges_slower_is_no_rival_though_set_ups_scatter() -> None:
    """A ratio of paired rounds knows more than the set-ups' own times: one hour was slow for all of them."""
    rates = {"workers_0": [0.9e4, 1.3e4, 0.7e4], "workers_2": [1.2e4, 1.6e4, 0.8e4]}
    none, two = loading(rates).values()
    assert quickest([none, two]) == (two, [none])
    estimate = Estimate(value=0.77, low=0.72, high=0.83, confidence=0.95, n=3)
    verdicts: dict[Verdict, list[Measured]] = {"faster": [], "undecided": [none]}
    for verdict, rivals in verdicts.items():
        ratio = Ratio(
            case=two.case.name, baseline=none.case.name, estimate=estimate, verdict=verdict, detectable=0.1
        )
        judged = msgspec.structs.replace(two, effect=ratio)
        assert quickest([none, judged]) == (judged, rivals)
        assert time_against(judged, none) == estimate
