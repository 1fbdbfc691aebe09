"""The question of moving: what it compares where what is installed, and what it says of results made up."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

from bench.answers import answer as answers
from bench.answers.devices import beside_cpu
from bench.answers.peers import moving, too_large
from bench.answers.settings import advice_of
from bench.answers.words import interval
from bench.benchmarks import test_device, test_peers
from bench.commands.run import declared_questions
from bench.harness.peers import READY, folder_of
from bench.questions.peers import BASELINE, PEERS, VARIANTS
from bench.questions.question import Asked, Results
from bench.questions.workload import PEER
from bench.records.run import CONTROL, Block, Case, Failure, Measured, Round, Run, SetUp
from bench.stats.measured import measured
from mtl_core.platform.gpu_choice import Choice, ask_nvml, choose
from reports.pages.run import run_page
from tests.reported import in_terminal
from tests.test_gpu_choice import Card, PlayedNvml
from tests.test_latency import made_up_run

QUESTION = test_peers.QUESTION
FACTS = {"threads": 2.0, "system_threads": 9.0, "departure_of_allowed": 0.03, "free_steps": 3.0}
LEVELS = {BASELINE: 1.0, "mxnet_whole_graph": 0.8, "pytorch_compiled": 0.66, "jax_jit": 0.5, "numpy": 1.6}
H200 = Choice("cpu", (), "NVIDIA H200 is compute capability 9.0: CPU", ("NVIDIA H200",))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def installed(*names: str) -> None:
    for name in names:
        folder_of(PEERS[name]).mkdir(parents=True)
        (folder_of(PEERS[name]) / READY).touch()


def set_up(variant: str, seconds: float, rng: np.random.Generator, noise: float) -> SetUp:
    times = 1e-3 * seconds * np.exp(np.abs(rng.normal(0.0, noise, 20)) + rng.normal(0.0, noise))
    rounds = [Round(seconds=float(time), iterations=1) for time in times]
    facts = dict(FACTS) if variant != "jax_jit" else {**FACTS, "departure_of_allowed": 0.05}
    if variant == "jax_jit":
        del facts["threads"]
    return SetUp(
        case=f"peers/step/{variant}",
        images=128,
        set_up_s=0.1,
        first_call_s=2.0 if variant == "pytorch_compiled" else 0.05,
        warm_up=[],
        rounds=rounds,
        steady=True,
        facts=facts,
    )


def blocks_of(levels: dict[str, float], noise: float) -> list[Block]:
    rng = np.random.default_rng(7)
    return [
        Block(
            group="peers/step",
            invocation=0,
            index=index,
            seconds=1.0,
            set_ups={name: set_up(name, level, rng, noise) for name, level in levels.items()},
        )
        for index in range(6)
    ]


def cases(levels: dict[str, float]) -> dict[str, Case]:
    return {
        name: Case(
            question="peers",
            part="step",
            variant=name,
            workload=QUESTION.workload,
            settings=VARIANTS[BASELINE if name == CONTROL else name].settings,
        )
        for name in levels
    }


def results(levels: dict[str, float] = LEVELS, noise: float = 0.002) -> dict[str, Measured]:
    return measured(cases(levels), BASELINE, blocks_of(levels, noise), QUESTION.also)


def said(levels: dict[str, float] = LEVELS, noise: float = 0.002) -> list[str]:
    found: Results = {"step": results(levels, noise)}
    return moving(found)


def test_the_last_sentence_says_what_a_move_makes_of_the_time() -> None:
    last = said()[-1]
    assert last.startswith("Moving the training step to PyTorch (compiled) takes 0.6")
    assert "the time on this CPU, 0.8" in last and "that of MXNet with the losses in the graph" in last
    assert "; to JAX (jit) takes 0.5" in last
    assert last.endswith("What a move costs is not in it.")
    ratio = results()["pytorch_compiled"].effect
    assert ratio is not None and f"{ratio.estimate.low:.2f}" in last, "with its interval"


def test_whether_moving_pays_is_said_first_with_the_call_at_inference_where_both_were_asked() -> None:
    both = {"peers/step": results({**LEVELS, CONTROL: 1.0}), **made_up_run().measured}
    advice = advice_of(both)
    assert advice is not None and advice.title == "Would moving pay?"
    (sentence, _) = advice.sentences
    assert sentence.startswith("Moving the training step to PyTorch (compiled) takes 0.6")
    onnx = both["latency/batch_1"]["onnx_runtime"].effect
    assert onnx is not None and sentence.endswith(
        f"; inference of one image in ONNX Runtime {interval(onnx.estimate)}."
    )
    alone = advice_of({"peers/step": results()})
    assert alone is not None and "inference" not in alone.sentences[0]
    assert advice_of({"peers/step": results({BASELINE: 1.0, "numpy": 1.6})}) is None
    assert advice_of(made_up_run().measured) is None


def test_what_is_not_decided_is_said_to_be() -> None:
    last = said({BASELINE: 1.0, "pytorch_compiled": 1.01}, noise=0.2)[-1]
    assert "to PyTorch (compiled) is undecided at " in last and "takes" not in last


def test_versions_threads_first_calls_and_the_proof_are_told() -> None:
    told = "\n".join(said({**LEVELS, CONTROL: 1.0}))
    assert f"PyTorch {PEERS['torch'].version} (compiled) takes" in told
    assert "Threads, each at its default: MXNet 2 of 9 in the process; PyTorch 2" in told
    assert "JAX does not tell of 9 in the process" in told
    assert "PyTorch (compiled) 2000.0 ms" in told
    assert "after up to 3 steps" in told and "JAX (jit) departs most, by 5.0% of that" in told
    assert "control" not in told


def test_a_framework_that_is_not_there_is_named_with_where_it_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NOX_CURRENT_SESSION", raising=False)
    told = said({BASELINE: 1.0, "numpy": 1.6})
    assert told[0] == "Not compared: PyTorch and JAX; python -m bench peers tells what is installed."
    assert told[1] == "Nothing can be said of moving: no other framework was compared."


def test_one_thread_each_is_a_sentence_of_its_own() -> None:
    found: Results = {"step": results(), "one_thread": results()}
    (line,) = [line for line in moving(found) if line.startswith("At one thread each")]
    assert "PyTorch (compiled) 0.6" in line and "(faster)" in line


def test_only_what_is_installed_is_compared() -> None:
    (step, one) = QUESTION.groups()
    assert {name for name in step.cases if name.startswith(("pytorch", "jax"))} == set()
    assert {BASELINE, "numpy", CONTROL} <= step.cases.keys()
    installed("torch", "jax")
    (step, one) = QUESTION.groups()
    assert {"pytorch_eager", "pytorch_fused", "pytorch_compiled", "jax_jit"} <= step.cases.keys()
    assert not step.cases.keys() & {"pytorch_gpu", "jax_gpu"}
    assert step.cases["jax_jit"].environment == {PEER: "jax"}
    assert step.cases["pytorch_eager"].settings["version"] == PEERS["torch"].version
    assert all(case.environment["OMP_NUM_THREADS"] == "1" for case in one.cases.values())
    (quick,) = QUESTION.groups(Asked(quick=True))
    assert quick.cases.keys() == {BASELINE, "numpy", "pytorch_compiled", "jax_jit", CONTROL}


def test_it_is_asked_by_its_name_alone() -> None:
    assert [
        question.name for question in declared_questions() if question.by_name and question.name == "peers"
    ]
    assert QUESTION.by_name


def test_a_batch_that_would_take_minutes_to_check_is_refused() -> None:
    assert too_large({"batch_size": 2048}) is None
    told = too_large({"batch_size": 4096})
    assert told is not None and "at most 2048" in told


def test_a_refused_peer_is_a_row_and_is_not_judged() -> None:
    levels = {BASELINE: 1.0, "jax_jit": 0.5}
    reason = (
        "not the same work: after 1 step parameters are off by 0.014 of their way, 8.6 times what is allowed"
    )
    failure = Failure(case="peers/step/pytorch_compiled", reason=reason, last_lines=[])
    found, blocks = {"peers/step": results(levels)}, {"peers/step": blocks_of(levels, 0.002)}
    made = answers.answer(QUESTION, QUESTION.groups(), found, blocks, {failure.case: failure})
    run = Run(name="x", answers=[made], measured=found, blocks=blocks, failures=[failure])
    page = " ".join(in_terminal(run_page(run), width=200).split())
    assert "peers: other work" in page
    assert f"step/pytorch_compiled {reason}" in page.replace("│ ", "")
    assert "pytorch_compiled" not in found["peers/step"]
    assert not [sentence for sentence in made.sentences if "PyTorch (compiled) takes" in sentence]


def test_a_gpu_that_mxnet_cannot_use_is_told_apart_from_none() -> None:
    hopper = PlayedNvml(Card("NVIDIA H200", (9, 0)))
    assert choose(lambda: ask_nvml(hopper.load)).too_new == ("NVIDIA H200",)
    for others in ((), (Card("Tesla K80", (3, 7)),), (Card("NVIDIA A100", (8, 0), mig=0),)):
        played = PlayedNvml(*others)
        assert choose(lambda played=played: ask_nvml(played.load)).too_new == ()  # type: ignore[misc]


def test_on_hardware_that_mxnet_cannot_use_others_answer_for_the_device() -> None:
    question = test_device.in_other_frameworks(H200)
    why = question.skipped()
    assert why is not None and why.startswith("NVIDIA H200 is compute capability 9.0; others may use it")
    assert "--install torch-cuda" in why
    installed("torch-cuda")
    assert question.skipped() is None
    assert [group.part for group in question.groups()] == ["batch_128", "batch_512"]
    group = question.groups()[0]
    assert group.cases.keys() == {BASELINE, "pytorch_gpu", CONTROL}
    assert group.cases["pytorch_gpu"].settings["device"] == "cuda"
    assert group.cases["pytorch_gpu"].environment == {PEER: "torch-cuda"}
    found: Results = {"batch_128": results({BASELINE: 1.0, "pytorch_gpu": 0.21})}
    (line,) = beside_cpu(found, H200.too_new)
    assert line.startswith("On NVIDIA H200 MXNet cannot compute; PyTorch takes 0.2")
    assert "the CPU's time at batch 128" in line


def test_the_numbers_made_up_are_what_they_claim() -> None:
    effect = results()["pytorch_compiled"].effect
    assert effect is not None and math.isclose(effect.estimate.value, 0.66, rel_tol=0.02)
    assert msgspec.structs.asdict(effect)["verdict"] == "faster"
