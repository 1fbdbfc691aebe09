"""What is recommended, by made-up results whose right answer is known."""

from __future__ import annotations

import shlex

import pytest
import typer.main

from bench.answers.settings import CHEAPEST_FIRST, USUAL, advice_of, command_of, recommended
from bench.benchmarks.test_settings import FLUSHED, QUESTION
from bench.records.run import Estimate, Measured, Ratio, Run, Verdict
from mtl_core.__main__ import app
from reports.formats import text
from reports.pages.run import run_page
from tests.reported import kept

(GROUP,) = QUESTION.groups()


def estimate(value: float, half: float = 0.02, n: int = 5) -> Estimate:
    return Estimate(value=value, low=value - half, high=value + half, confidence=0.95, n=n)


def ratio(value: float, verdict: Verdict, half: float = 0.02, n: int = 5) -> Ratio:
    return Ratio(case="a", baseline="b", estimate=estimate(value, half, n), verdict=verdict, detectable=0.05)


def epoch(beside: Verdict = "same", n: int = 5, **ratios: tuple[float, Verdict]) -> dict[str, Measured]:
    """The tutorial's settings and these variants; ``beside``: batches of 512 against those of 128."""
    made = {}
    for name in (USUAL, *ratios):
        effect = None if name == USUAL else ratio(*ratios[name], n=n)
        made[name] = Measured(
            case=GROUP.cases[name],
            images=5120,
            iteration_s=estimate(1.0),
            images_per_s=estimate(5120.0),
            first_call_s=estimate(1.0),
            facts={},
            effect=effect,
            extra_first_call_s=None,
            times_s=[1.0] * n,
            course_facts=[],
            beside={"together": ratio(0.9, beside)} if name == "together_512" else {},
        )
    return made


def test_all_together_is_recommended_with_its_own_measured_gain() -> None:
    advice = recommended(
        epoch(whole_graph=(0.97, "undecided"), fast_loader=(0.2, "faster"), together=(0.12, "faster"))
    )
    assert advice.variant == "together"
    assert advice.ratio == estimate(0.12)
    assert "0.120x (0.100 to 0.140)" in advice.sentences[0]
    assert (
        advice.sentences[1] == "Those are 5 workers, hybridized, batches of 128. 95% intervals of 5 set-ups."
    )
    assert "--loader fast 0.200x (0.180 to 0.220), faster" in advice.sentences[2]
    assert "--mode whole_graph 0.970x (0.950 to 0.990), undecided" in advice.sentences[2]
    assert any(line.startswith("--denormals flush") for line in advice.sentences) == bool(FLUSHED)


def test_what_smaller_batches_gain_is_told_beside_larger_ones() -> None:
    advice = recommended(epoch("faster", together=(0.12, "faster"), together_512=(0.06, "faster")))
    assert advice.sentences[2] == advice.alone
    assert advice.alone.startswith("Without --batch-size 512 it takes 0.120x (0.100 to 0.140), faster.")
    assert any(line.startswith("Batches of 512 in place of 128 make") for line in advice.sentences)


def test_every_row_is_called_by_options_of_the_line_to_paste() -> None:
    advice = recommended(
        epoch(whole_graph=(0.9, "faster"), fewer_workers=(0.9, "faster"), fast_loader=(0.2, "faster"))
    )
    case = GROUP.cases["fewer_workers"]
    assert [one.words for one in advice.worth] == [
        "--mode whole_graph",
        f"--workers {case.settings['workers']}",
        "--loader fast",
    ]


def test_where_the_tutorial_s_settings_are_best_nothing_is_to_change() -> None:
    advice = recommended(epoch(whole_graph=(1.0, "same"), together=(1.2, "slower")))
    assert (advice.variant, advice.command) == (None, None)
    assert advice.sentences == [
        "The tutorial's settings are as fast as any that were tried: nothing to change."
    ]


def test_where_nothing_is_decided_nothing_is_recommended() -> None:
    advice = recommended(epoch(whole_graph=(0.97, "undecided"), together=(0.8, "undecided")))
    assert advice.command is None
    assert advice.sentences[0].startswith(
        "No recommendation: nothing is decided. The best looking is fast, whole_graph, flush"
    )


def test_one_set_up_is_no_knowledge() -> None:
    advice = recommended(epoch(n=1, together=(0.1, "undecided")))
    assert advice.sentences == ["No recommendation: one set-up tells nothing; a larger --budget does."]


@pytest.mark.parametrize(
    ("beside", "chosen"), [("faster", "together_512"), ("same", "together"), ("undecided", "together")]
)
def test_a_larger_batch_has_to_be_faster_beyond_the_tolerance(beside: Verdict, chosen: str) -> None:
    """One that wins by 1 % is the same, and the smaller one is the cheaper."""
    advice = recommended(epoch(beside, together=(0.121, "faster"), together_512=(0.12, "faster")))
    assert advice.variant == chosen
    assert any("more epochs" in sentence for sentence in advice.sentences) == (chosen == "together_512")


def test_of_equally_fast_settings_the_cheapest_is_taken() -> None:
    advice = recommended(epoch(fast_loader=(0.12, "faster"), together=(0.119, "faster")))
    assert advice.variant == "fast_loader"


@pytest.mark.parametrize("variant", CHEAPEST_FIRST)
def test_the_line_to_paste_is_one_that_train_takes(variant: str) -> None:
    line = shlex.split(command_of(GROUP.cases[variant]))
    assert line[:4] == ["python", "-m", "mtl_core", "train"]
    train = typer.main.get_command(app).commands["train"]  # type: ignore[attr-defined]
    options = train.make_context("train", line[4:]).params
    assert options["loader"] == ("tutorial" if "--workers" in line else "fast")
    assert options["batch_size"] == (512 if variant.endswith("512") else 128)


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_what_to_set_stands_before_the_answers(form: str) -> None:
    run = with_advice(kept())
    assert run.advice is not None and run.advice.command is not None
    shown = " ".join(text(run_page(run), form).replace("\\\n", " ").split())
    place = shown.rfind("What to set on this machine") if form == "html" else shown.find("What to set")
    assert 0 <= place < shown.rfind("What does hybridizing buy?")


def with_advice(run: Run) -> Run:
    from msgspec.structs import replace

    group = epoch(fast_loader=(0.2, "faster"), together=(0.12, "faster"))
    return replace(run, advice=advice_of({"settings/epoch": group}))


def test_a_run_that_did_not_ask_gets_no_advice() -> None:
    assert advice_of({"hybridize/step": {}}) is None
    assert run_page(kept()).recommendation is None
