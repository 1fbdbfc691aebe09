"""Runs side by side: the statistics of their differences, what is refused, what is said."""

from __future__ import annotations

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from bench.commands import compare as command
from bench.comparison.changes import per_ceiling
from bench.comparison.runs import compare, got_lost, got_slower, label
from bench.records.comparison import BenchmarkChange, ComparedBenchmark, RunComparison
from bench.records.run import Block, Case, Ceilings, Failure, Machine, Round, Run, Setting, SetUp
from bench.results.run_file import read_run
from bench.stats.estimates import combined, mean_of
from bench.stats.measured import measured
from bench.stats.ratios import against_baseline
from bench.stats.verdict import least_alpha, verdicts
from bench.workloads.flop import flop_per_image
from mtl_core.config import NetworkConfig
from mtl_core.cost import cost
from mtl_core.errors import UserError
from reports.pages import comparison as told
from tests import made_up
from tests.reported import as_csv, as_json, in_terminal

OLD = Path(__file__).parent / "old_runs"
samples = st.lists(st.floats(-1, 1), min_size=2, max_size=9).map(np.array)
MACHINE = msgspec.structs.replace(made_up.MACHINE, cpu="Real CPU", source="a" * 40)
CEILINGS = Ceilings(
    mxnet_gflop_per_s=100.0,
    numpy_gflop_per_s=90.0,
    memory_gb_per_s=20.0,
    python_loops_per_s=3e7,
    mxnet="1.9.1",
    numpy="1.26.4",
    features=["OPENMP"],
    libraries=["openblas 0.3"],
)
STEP = "bench.workloads.steps:StepWorkload"


def case(variant: str, settings: dict[str, Setting] | None = None) -> Case:
    return Case(question="hybridize", part="step", variant=variant, workload=STEP, settings=settings or {})


def run_of(
    times_s: dict[str, float],
    *,
    seed: int = 0,
    name: str = "a.json",
    noise: float = 0.002,
    blocks: int = 8,
    machine: Machine | None = MACHINE,
    ceilings: Ceilings | None = CEILINGS,
    settings: dict[str, Setting] | None = None,
) -> Run:
    """A run whose variants take these times, the first being the baseline, with noise between set-ups."""
    rng = np.random.default_rng(seed)
    cases = {variant: case(variant, settings) for variant in times_s}
    made = [
        Block(
            group="hybridize/step",
            invocation=0,
            index=index,
            seconds=1.0,
            set_ups={
                variant: SetUp(
                    case=cases[variant].name,
                    images=128,
                    set_up_s=0.1,
                    first_call_s=0.01,
                    warm_up=[],
                    rounds=[Round(seconds=10 * time_s * math.exp(rng.normal(0, noise)), iterations=10)],
                    steady=True,
                )
                for variant, time_s in times_s.items()
            },
        )
        for index in range(blocks)
    ]
    known = measured(cases, next(iter(cases)), made)
    return Run(
        name=name,
        machine=machine,
        ceilings=ceilings,
        blocks={"hybridize/step": made},
        measured={"hybridize/step": known},
    )


def change(comparison: RunComparison, variant: str) -> BenchmarkChange:
    return next(b for b in comparison.benchmarks if b.variant == variant).changes[0]


def faster_machine() -> tuple[Machine, Ceilings]:
    machine = msgspec.structs.replace(MACHINE, cpu="Other CPU", cores_granted=8.0)
    return machine, msgspec.structs.replace(CEILINGS, mxnet_gflop_per_s=200.0, memory_gb_per_s=26.0)


@given(samples, samples)
def test_a_difference_of_two_means_is_welchs(one: np.ndarray, other: np.ndarray) -> None:
    found = combined((mean_of(one), mean_of(other)), (1.0, -1.0))
    if min(np.ptp(one), np.ptp(other)) < 1e-3:  # scipy warns of what it then computes
        return
    theirs = scipy_stats.ttest_ind(one, other, equal_var=False)
    ends = theirs.confidence_interval(0.95)
    assert found.freedom == pytest.approx(theirs.df, rel=1e-6)
    assert (found.interval().low, found.interval().high) == pytest.approx((ends.low, ends.high), abs=1e-9)


def test_one_value_makes_the_difference_endless() -> None:
    found = combined((mean_of(np.array([1.0])), mean_of(np.array([1.0, 2.0]))), (1.0, -1.0)).interval()
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_welch_holds_the_truth_as_often_as_it_says_with_unlike_spreads() -> None:
    """2,000 pairs of 5 and 9 set-ups, one machine five times as noisy as the other."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(2000):
        means = (mean_of(rng.normal(0.1, 0.01, 5)), mean_of(rng.normal(0.0, 0.002, 9)))
        interval = combined(means, (1.0, -1.0)).interval()
        held += interval.low <= 0.1 <= interval.high
    assert abs(held / 2000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_a_ratio_that_differs_between_unlike_machines_is_different() -> None:
    machine, ceilings = faster_machine()
    here = run_of({"imperative": 1.07e-3, "static": 1.0e-3}, noise=1e-4)
    there = run_of(
        {"imperative": 0.655e-3, "static": 0.5e-3},
        seed=1,
        noise=1e-4,
        machine=machine,
        ceilings=ceilings,
    )
    found = compare([here, there])
    assert change(found, "static").ratio_verdict == "different"
    assert "takes 0.93" in " ".join(told.sentences(found))
    assert " and 0.76" in " ".join(told.sentences(found))
    assert found.pairs[0].unlike == ["cpu", "cores_granted"]
    assert change(found, "imperative").explained_by == "mxnet_gflop_per_s"


def test_equal_ratios_on_unlike_machines_are_the_same_whatever_their_speed() -> None:
    machine, ceilings = faster_machine()
    here = run_of({"imperative": 1.2e-3, "static": 1.0e-3})
    there = run_of({"imperative": 0.6e-3, "static": 0.5e-3}, seed=1, machine=machine, ceilings=ceilings)
    found = change(compare([here, there]), "static")
    assert (found.ratio_verdict, found.time_verdict) == ("same", "different")


def test_one_machine_is_faster_or_slower() -> None:
    before = run_of({"imperative": 1.0e-3, "static": 1.0e-3})
    after = run_of({"imperative": 1.0e-3, "static": 1.1e-3}, seed=1)
    found = compare([before, after])
    assert (change(found, "static").ratio_verdict, change(found, "static").time_verdict) == (
        "slower",
        "slower",
    )
    assert got_slower(found) == ["hybridize/step/static"]
    assert got_slower(compare([after, before])) == []


def test_what_is_gone_or_failed_later_on_one_machine_is_lost() -> None:
    both = run_of({"imperative": 1.0e-3, "static": 1.0e-3})
    one = run_of({"imperative": 1.0e-3}, seed=1)
    broken = msgspec.structs.replace(
        both, failures=[Failure(case="hybridize/step/static", reason="crashed", last_lines=[])]
    )
    assert got_lost(compare([both, one])) == got_lost(compare([both, broken])) == ["hybridize/step/static"]
    assert got_lost(compare([one, both])) == got_lost(compare([broken, broken])) == []
    machine, ceilings = faster_machine()
    elsewhere = run_of({"imperative": 1.0e-3}, machine=machine, ceilings=ceilings)
    assert got_lost(compare([both, elsewhere])) == []


def test_a_time_inside_what_a_machine_drifts_is_neither_slower_nor_the_same() -> None:
    before = run_of({"imperative": 1.0e-3, "static": 1.0e-3})
    after = run_of({"imperative": 1.04e-3, "static": 1.04e-3}, seed=1)
    found = compare([before, after])
    assert {c.time_verdict for b in found.benchmarks for c in b.changes} == {"undecided"}
    assert change(found, "static").ratio_verdict == "same"
    assert got_slower(found) == []


def test_ceilings_that_moved_widen_the_band_of_times() -> None:
    moved = msgspec.structs.replace(CEILINGS, memory_gb_per_s=15.0)
    slower = {"imperative": 1.2e-3, "static": 1.2e-3}
    before = run_of({"imperative": 1.0e-3, "static": 1.0e-3})
    steady, drifted = (compare([before, run_of(slower, seed=1, ceilings=c)]) for c in (CEILINGS, moved))
    assert change(steady, "static").time_verdict == "slower"
    assert change(drifted, "static").time_verdict == "undecided"
    assert drifted.pairs[0].time_band == pytest.approx(1.02 * 20 / 15 - 1)


def test_a_baseline_that_gained_does_not_make_its_variants_slower() -> None:
    before = run_of({"imperative": 1.0e-3, "static": 0.9e-3})
    after = run_of({"imperative": 0.8e-3, "static": 0.9e-3}, seed=1)
    found = compare([before, after])
    assert change(found, "static").ratio_verdict == "slower"
    assert got_slower(found) == []


def test_what_fails_the_gate_is_sorted_first() -> None:
    """By its time too, where the ratio is the same; before a ratio that the baseline's gain made slower."""

    def by_verdict(before: dict[str, float], after: dict[str, float]) -> list[str]:
        found = compare([run_of(before), run_of(after, seed=1)])
        return [b.variant for b in command._sorted(found, command.Sort.verdict).benchmarks]

    ones = {"imperative": 1.0e-3, "quicker": 1.0e-3, "alike": 1.0e-3}
    assert by_verdict(ones, {"imperative": 1.2e-3, "quicker": 0.9e-3, "alike": 1.2e-3}) == [
        "imperative",
        "alike",
        "quicker",
    ]
    ones = {"imperative": 1.0e-3, "alike": 1.0e-3, "quicker": 1.0e-3}
    assert by_verdict(ones, {"imperative": 0.8e-3, "alike": 0.8e-3, "quicker": 0.6e-3}) == list(ones)
    excused = {"imperative": 1.0e-3, "static": 0.9e-3, "other": 1.0e-3}
    assert by_verdict(excused, {"imperative": 0.8e-3, "static": 0.9e-3, "other": 1.2e-3}) == [
        "other",
        "static",
        "imperative",
    ]


def test_ratios_and_times_share_one_error_rate() -> None:
    """A ratio decided by itself but not among three verdicts, one of which (a time) nobody can decide."""
    before = run_of({"imperative": 1.00e-3, "static": 1.000e-3}, noise=0.01)
    after = run_of({"imperative": 1.02e-3, "static": 1.032 * 1.02e-3}, seed=1, noise=0.01)
    before_ratio, after_ratio = (
        against_baseline(run.blocks["hybridize/step"], "static", "imperative").mean()
        for run in (before, after)
    )
    alone = combined((after_ratio, before_ratio), (1.0, -1.0))
    assert 0.025 < least_alpha(alone) < 0.05
    assert verdicts({"alone": alone}) == {"alone": "slower"}
    assert change(compare([before, after], drift=0.0), "static").ratio_verdict == "undecided"
    assert "They and the times share one error rate" in " ".join(told.sentences(compare([before, after])))


def test_identical_machines_and_code_are_rarely_called_unlike() -> None:
    """100 pairs of runs with 6 ratios each: an alarm in at most 5 % of the families."""
    variants = ["imperative", *"abcdef"]
    alarms = 0
    for number in range(100):
        pair = [
            run_of(dict.fromkeys(variants, 1e-3), seed=2 * number + side, noise=0.012, blocks=6)
            for side in (0, 1)
        ]
        words = {c.ratio_verdict for b in compare(pair).benchmarks for c in b.changes}
        alarms += bool(words & {"faster", "slower"})
    assert alarms <= 100 * 0.05


def test_other_settings_under_the_same_name_are_refused_by_their_name() -> None:
    one, other = (
        run_of({"static": 1e-3}, settings={"batch_size": size}, name=f"{size}.json") for size in (128, 256)
    )
    with pytest.raises(UserError, match=r"settings\.batch_size is 128 in 128\.json and 256 in 256\.json"):
        compare([one, other], strict=True)


def test_what_is_unlike_is_left_out_by_its_name_and_the_rest_is_compared() -> None:
    one, other = run_of({"static": 1e-3, "bulk": 1e-3}), run_of({"static": 1e-3, "bulk": 1e-3})
    (group,) = other.measured
    bulk = other.measured[group]["bulk"]
    unlike = msgspec.structs.replace(bulk, case=case("bulk", {"batch_size": 256}))
    measured = {group: {**other.measured[group], "bulk": unlike}}
    compared = compare([one, msgspec.structs.replace(other, measured=measured)])
    assert "hybridize/step/bulk" not in {benchmark.name for benchmark in compared.benchmarks}
    assert "hybridize/step/static" in {benchmark.name for benchmark in compared.benchmarks}
    assert compared.missing == {}
    assert compared.warnings[0].startswith("left out: hybridize/step/bulk is not the same benchmark: ")


def test_runs_of_which_all_is_unlike_have_nothing_in_common() -> None:
    one, other = (run_of({"static": 1e-3}, settings={"batch_size": size}) for size in (128, 256))
    nothing = compare([one, other])
    assert nothing.benchmarks == []
    assert told.verdict(nothing) == "The runs have no benchmark in common."


def test_one_run_is_not_compared() -> None:
    with pytest.raises(UserError, match="two or more"):
        compare([run_of({"static": 1e-3})])


def test_what_one_side_lacks_is_listed() -> None:
    found = compare(
        [run_of({"imperative": 1e-3, "static": 1e-3}), run_of({"imperative": 1e-3, "bulk": 1e-3})]
    )
    assert found.missing == {"A": ["hybridize/step/bulk"], "B": ["hybridize/step/static"]}
    assert "B lacks 1 of the benchmarks: hybridize/step/static" in told.footnotes(found)


def test_runs_that_share_nothing_are_said_to_before_all_else() -> None:
    one, other = (run_of({name: 1e-3, f"{name}2": 1e-3}) for name in ("a", "b"))
    nothing = compare([one, other])
    assert told.sentences(nothing)[0] == told.verdict(nothing) == "The runs have no benchmark in common."
    assert told.comparison_page(nothing).verdict == "The runs have no benchmark in common."
    assert told.sentences(compare([one, one, other]))[0] == "A and C have no benchmark in common."
    assert "in common" not in " ".join(told.sentences(compare([one, one])))


def test_what_differs_is_told_field_by_field_and_the_rest_in_one_line() -> None:
    machine = msgspec.structs.replace(MACHINE, python="3.12.1", environment={"OMP_NUM_THREADS": "2"})
    found = compare([run_of({"static": 1e-3}), run_of({"static": 1e-3}, machine=machine)])
    assert {(f.kind, f.name) for f in found.differs} == {("build", "python"), ("state", "OMP_NUM_THREADS")}
    assert "cpu" in found.equal
    assert found.pairs[0].alike


def test_what_no_run_tells_is_not_called_equal() -> None:
    found = compare([run_of({"static": 1e-3})] * 2)
    assert "load" in found.equal and "source" in found.equal
    assert not {"governor", "mhz", "steal_share"} & set(found.equal)  # told by neither of them
    foreign = compare([read_run(OLD / "pytest_benchmark.json")] * 2)
    assert told.footnotes(foreign)[0] == "Equal: nothing that is known of every run."


def test_the_mean_over_a_question_is_of_the_ratios_all_runs_have() -> None:
    here = run_of({"imperative": 1.0e-3, "a": 0.8e-3, "b": 0.5e-3, "only": 0.1e-3}, noise=0.0)
    there = run_of({"imperative": 1.0e-3, "a": 0.4e-3, "b": 0.5e-3}, noise=0.0)
    mean = compare([here, there]).means[0]
    assert mean.benchmarks == ["hybridize/step/a", "hybridize/step/b"]
    assert mean.means["A"].value == pytest.approx(math.sqrt(0.8 * 0.5))
    assert mean.changes["B"].value == pytest.approx(math.sqrt(0.5))


def test_variants_of_a_block_share_its_baseline_and_the_mean_knows() -> None:
    """A noisy baseline moves all ratios of a block at once: the mean over them is as uncertain as each."""
    rng = np.random.default_rng(0)
    run = run_of({"imperative": 1e-3, "a": 1e-3, "b": 1e-3}, noise=0.0)
    noisy = []
    for block in run.blocks["hybridize/step"]:
        shaken = Round(seconds=1e-2 * math.exp(rng.normal(0, 0.05)), iterations=10)
        base = msgspec.structs.replace(block.set_ups["imperative"], rounds=[shaken])
        noisy.append(msgspec.structs.replace(block, set_ups={**block.set_ups, "imperative": base}))
    known = measured({v: case(v) for v in ("imperative", "a", "b")}, "imperative", noisy)
    shaky = msgspec.structs.replace(run, blocks={"hybridize/step": noisy}, measured={"hybridize/step": known})
    single = known["a"].effect
    assert single is not None
    mean = compare([shaky, shaky]).means[0].means["A"]
    assert mean.half_width == pytest.approx(single.estimate.half_width)


def test_throughput_beside_the_ceilings() -> None:
    found = per_ceiling(50_000.0, 1_000_000, CEILINGS)
    assert found["mxnet_gflop_per_s"] == pytest.approx(50 / 100)
    assert found["numpy_gflop_per_s"] == pytest.approx(50 / 90)
    assert found["memory_gb_per_s"] == pytest.approx(2500)
    assert "mxnet_gflop_per_s" not in per_ceiling(50_000.0, None, CEILINGS)


def test_flop_are_known_where_the_network_is() -> None:
    both, one = cost(NetworkConfig()), cost(NetworkConfig(heads=("digits",)))
    assert flop_per_image(case("x")) == both.training_flop
    assert flop_per_image(case("x", {"part": "forward"})) == both.forward_flop
    assert flop_per_image(case("x", {"heads": ["digits"]})) == one.training_flop
    assert flop_per_image(case("x", {"heads": ["unheard of"]})) is None
    loading = msgspec.structs.replace(case("x"), workload="bench.workloads.loading:LoadingWorkload")
    assert flop_per_image(loading) is None


def test_files_without_a_machine_are_compared_by_time_and_nothing_is_decided() -> None:
    foreign = read_run(OLD / "pytest_benchmark.json")
    found = compare([foreign, foreign])
    words = {c.time_verdict for b in found.benchmarks for c in b.changes}
    assert words == {"undecided"}
    assert found.means == []
    assert "the machine of one is not told" in told.sentences(found)[0]
    headings = {c.title for t in told.tables(found) if t.title.endswith("together") for c in t.columns}
    assert "time" in headings and "throughput" not in headings  # how many images is not told
    assert as_csv(told.comparison_page(found)).splitlines()[1].split(",")[8] == ""  # images_per_s


def test_many_runs_are_stacked_and_every_label_is_there() -> None:
    runs = [run_of({"imperative": 1e-3, "static": 1e-3}, seed=s, name=f"{s}.json") for s in range(5)]
    found = compare(runs)
    assert [side.label for side in found.sides] == list("ABCDE")
    assert len(next(b for b in found.benchmarks if b.variant == "static").changes) == 4
    assert label(26) == "A2"


def test_json_has_no_number_that_json_lacks() -> None:
    found = compare([read_run(OLD / "pytest_benchmark.json")] * 2)
    document = json.loads(as_json(told.comparison_page(found)))
    assert document["schema"] == 1
    assert document["benchmarks"][0]["changes"][0]["time"]["high"] is None


def test_csv_has_a_row_for_each_benchmark_and_run_and_no_formula() -> None:
    run = run_of({"=cmd()": 1e-3, "static": 1e-3}, name="@evil.json")
    lines = as_csv(told.comparison_page(compare([run, run]))).splitlines()
    assert lines[0].startswith("benchmark,run,file,baseline,iteration_s,iteration_s_low")
    assert len(lines) == 1 + 2 * 2
    assert ",'@evil.json,'=cmd()," in lines[3]


def test_text_of_a_file_is_shown_harmless() -> None:
    evil = "\x1b[2J\u202e[red]"
    machine = msgspec.structs.replace(MACHINE, cpu=evil)
    found = compare(
        [run_of({evil: 1e-3, "b": 1e-3}, name=evil), run_of({evil: 1e-3, "b": 1e-3}, machine=machine)]
    )
    shown = in_terminal(told.comparison_page(found), 200)
    assert all(words.isprintable() for words in shown.splitlines())
    assert r"\x1b[2J\u202e[red]" in shown


def test_a_benchmark_knows_its_question() -> None:
    found = compare([run_of({"a": 1e-3, "b": 1e-3})] * 2)
    assert [(b.name, b.baseline) for b in found.benchmarks] == [
        ("hybridize/step/a", None),
        ("hybridize/step/b", "a"),
    ]
    assert isinstance(found.benchmarks[0], ComparedBenchmark)
