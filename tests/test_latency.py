"""Single calls at inference: parity before time, fresh processes, what is told and shown of them."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.answers.latency import NOT_THERE, duration, inference
from bench.benchmarks.test_latency import QUESTION
from bench.harness.pool import WorkerFailedError
from bench.harness.rounds import Harness, SettingUp
from bench.harness.schedule import Schedule
from bench.questions.plan import Group, Plan
from bench.questions.question import Question, Variant
from bench.questions.workload import NotPossibleError, NotTheSameWorkError
from bench.records.calls import Calls
from bench.records.run import Answer, Block, Case, Estimate, Round, Run, SetUp
from bench.results.run_file import entry, run_from
from bench.stats.measured import measured
from bench.worker.process import Worker
from bench.workloads.inference import latency
from bench.workloads.inference.latency import Latency, check_parity
from bench.workloads.inference.runtimes import Source, load, threads_of_mxnet
from mtl_core.errors import UserError
from mtl_core.platform.mxnet import mx
from reports.pages.run import run_page
from tests.made_up_calls import as_calls, call_times_s
from tests.reported import as_csv, as_html, as_markdown, in_terminal, kept
from tests.test_reports import golden

RUNTIMES = {"imperative": 1.5, "static": 1.0, "exported": 1.1, "onnx_runtime": 0.1}
STARTS = {"import_s": 1.4, "load_s": 0.2, "first_call_s": 0.03, "memory_bytes": 160 * 2.0**20}


class Wrong:
    """A runtime whose outputs are a little off, as those of another epsilon are."""

    def __init__(self, right: Any, by: float) -> None:
        self.right, self.by = right, by

    def own(self, arrays: Any) -> Any:
        return self.right.own(arrays)

    def call(self, batch: Any) -> Any:
        return self.right.call(batch)

    def __call__(self, *arrays: Any) -> Any:
        return [output + self.by for output in self.right(*arrays)]


@pytest.mark.parametrize("runtime", ["imperative", "hybridized", "static", "exported"])
def test_every_call_is_timed_by_itself_after_its_outputs_were_compared(runtime: Any) -> None:
    workload = Latency(runtime=runtime, batch_size=2)
    workload.run(3)
    assert len(workload.calls_ns) == 3
    assert all(ns > 0 for ns in workload.calls_ns)
    assert workload.images == 2
    assert workload.facts() == {
        "threads": float(threads_of_mxnet()),
        "largest_difference": pytest.approx(0.0, abs=1e-5),
    }
    folder = Path(workload.folder.name)
    workload.close()
    assert not folder.exists()


def test_onnx_runtime_computes_what_mxnet_does_on_as_many_threads() -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    workload = Latency(runtime="onnx_runtime", batch_size=2)
    workload.run(2)
    assert len(workload.calls_ns) == 2
    assert 0.0 < workload.facts()["largest_difference"] <= 1e-5
    options = workload.runtime.session.get_session_options()  # type: ignore[attr-defined]
    assert options.intra_op_num_threads == workload.threads
    workload.close()


def test_a_runtime_made_wrong_on_purpose_is_refused_before_it_is_timed() -> None:
    def wrong(*arguments: Any) -> Any:
        return Wrong(load(*arguments), by=1e-3)

    with pytest.raises(NotTheSameWorkError, match=r"depart from MXNet's imperative ones by \d\.\de-0[34]"):
        Latency(runtime="static", batch_size=2, loader=wrong)


def test_what_is_refused_is_told_as_another_work_and_is_in_no_block() -> None:
    def wrong(*arguments: Any) -> Any:
        return Wrong(load(*arguments), by=1e-3)

    worker = Worker()
    settings = {"runtime": "static", "batch_size": 2, "loader": wrong}
    answer = worker.set_up("bench.workloads.inference.latency:Latency", settings, 0)
    assert answer["refused"].startswith("not the same work: outputs depart from MXNet's imperative ones by")

    class Refusing:
        def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
            return answer

        def end(self) -> None: ...

    case = Case(question="latency", part="batch_1", variant="static", workload="", settings={})
    with pytest.raises(WorkerFailedError, match="not the same work"):
        SettingUp(case, Refusing(), 0)


@pytest.mark.parametrize(("by", "refused"), [(0.9e-5, False), (1.1e-5, True), (np.nan, True)])
def test_parity_is_relative_to_the_largest_output_or_one(by: float, refused: bool) -> None:
    for scale in (0.5, 1.0, 100.0):
        ours = [[np.array([[scale, 0.0]])]]
        theirs = [[np.array([[scale, by * max(1.0, scale)]])]]
        if refused:
            with pytest.raises(NotTheSameWorkError, match="expected 1e-05 at most"):
                check_parity(ours, theirs)
        else:
            assert check_parity(ours, theirs) == pytest.approx(by)


def test_outputs_of_another_shape_are_another_work() -> None:
    with pytest.raises(NotTheSameWorkError, match=r"outputs of \[\(2, 1\)\] where"):
        check_parity([[np.ones((1, 2))]], [[np.ones((2, 1))]])


def test_a_network_that_cannot_be_traced_has_imperative_mxnet_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(mx.gluon.Block):  # type: ignore[misc]
        def forward(self, images: Any) -> Any:
            return images * 2

    monkeypatch.setattr(Source, "block", lambda self: Plain())
    with pytest.raises(NotPossibleError, match="the network is a Plain, a Block and no HybridBlock"):
        Latency(runtime="static")
    answer = Worker().set_up("bench.workloads.inference.latency:Latency", {"runtime": "exported"}, 0)
    assert answer == {"refused": "the network is a Plain, a Block and no HybridBlock"}
    workload = Latency(runtime="imperative")
    workload.run(1)
    workload.close()


def test_what_onnx_cannot_say_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_arguments: Any) -> None:
        raise UserError("ONNX has no counterpart that MXNet could write for erfinv")

    monkeypatch.setattr(latency, "write", cannot)
    answer = Worker().set_up("bench.workloads.inference.latency:Latency", {"runtime": "onnx_runtime"}, 0)
    assert answer == {"refused": "ONNX has no counterpart that MXNet could write for erfinv"}


def test_a_process_of_its_own_tells_import_load_first_call_and_memory() -> None:
    """ONNX Runtime's alone is a real one: it is there in a moment."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    workload = Latency(runtime="onnx_runtime", start=True)
    facts = workload.facts()
    assert facts.keys() == {"threads", "largest_difference", *STARTS}
    assert all(value > 0 for value in facts.values())
    workload.close()


def test_mxnet_starts_in_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the process runs it, in this one, where MXNet is there already."""
    from bench.workloads.inference import starting

    np.savez(tmp_path / starting.BATCH, np.zeros((1, 784), np.float32))
    asked = {"runtime": "static", "network": None, "folder": str(tmp_path), "threads": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(asked)))
    facts = starting.start(**{**asked, "folder": tmp_path})  # type: ignore[arg-type]
    assert facts.keys() == STARTS.keys()


def test_a_runtime_that_does_not_start_keeps_what_it_said(tmp_path: Path) -> None:
    from bench.workloads.inference.starting import started

    pytest.importorskip("onnxruntime")
    with pytest.raises(RuntimeError, match=r"(?s)onnx_runtime does not start.*network.onnx"):
        started("onnx_runtime", None, tmp_path, 1, [np.zeros((1, 784), np.float32)])


def test_calls_of_timed_rounds_alone_are_kept() -> None:
    class Played:
        def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
            if do == "set_up":
                return {"images": 1, "set_up_ns": 1, "first_call_ns": 7}
            if do == "round":
                count = arguments["iterations"]
                return {"ns": 5_000_000 * count, "facts": {}, "calls_ns": [5_000_000] * count}
            return {}

        def end(self) -> None: ...

    class Pool:
        def workers_for(self, environment: dict[str, str], count: int) -> list[Played]:
            return [Played() for _ in range(count)]

        def end(self) -> None: ...

    question = replace(QUESTION, variants={"static": Variant()}, control=False, plan=Plan(rounds=20))
    group = question.groups()[1]
    harness = Harness(0, pool=Pool)  # type: ignore[arg-type]
    (set_up,) = harness.measure(group).set_ups.values()
    assert set_up.warm_up
    assert set_up.calls == Calls(ns=[5_000_000], counts=[sum(r.iterations for r in set_up.rounds)])


def test_no_two_set_ups_of_a_part_share_a_process() -> None:
    """Parts do, and other questions' set-ups; what is repeated is the process."""
    now, invocation, order = [0.0], [0], list[tuple[str, int]]()

    def block(group: Group) -> Block:
        now[0] += 1.0
        order.append((group.name, invocation[0]))
        return Block(group=group.name, invocation=invocation[0], index=0, seconds=1.0, set_ups={})

    def renew() -> None:
        invocation[0] += 1

    def question(name: str, fresh: bool) -> Question:
        plan = Plan(least_blocks=3, fresh=fresh)
        parts = dict.fromkeys(("p", "q"), QUESTION.parts["batch_8"])
        return replace(QUESTION, name=name, parts=parts, headline=None, plan=plan)

    groups = [*question("new", True).groups(), *question("kept", False).groups()]
    Schedule(
        groups=groups, budget_s=13.0, measure=block, next_invocation=renew, failures={}, clock=lambda: now[0]
    ).run()
    of_part = [number for name, number in order if name == "new/p"]
    assert of_part == [0, 1, 2]
    assert [number for name, number in order if name == "new/q"] == of_part
    assert invocation == [2]


def made_up_run(set_ups: int = 8) -> Run:
    """A run of two parts on a made-up machine, its calls in spells."""
    rng = np.random.default_rng(5)
    groups, blocks = {}, {}
    for size in (1, 128):
        group = f"latency/batch_{size}"
        cases = {
            name: Case(
                question="latency",
                part=f"batch_{size}",
                variant=name,
                workload="bench.workloads.inference.latency:Latency",
                settings={"runtime": name, "batch_size": size, "start": size == 1},
            )
            for name in RUNTIMES
        }
        blocks[group] = [_block(group, cases, size, number, rng) for number in range(set_ups)]
        groups[group] = measured(cases, "static", blocks[group])
    run = Run(
        name="made up",
        measured_at="2026-11-26T12:00:00+00:00",
        machine=kept().machine,
        ceilings=kept().ceilings,
        settings={"budget": "300s", "seed": "0"},
        measured=groups,
        baselines=dict.fromkeys(groups, "static"),
        blocks=blocks,
    )
    results = {group.rpartition("/")[2]: variants for group, variants in groups.items()}
    answer = Answer(question="latency", asks=QUESTION.asks, sentences=inference(results))
    return msgspec.structs.replace(run, answers=[answer])


def _block(group: str, cases: dict[str, Case], size: int, number: int, rng: np.random.Generator) -> Block:
    made = {}
    for name, case in cases.items():
        share = RUNTIMES[name] if size == 1 else 1.0 + RUNTIMES[name] / 10
        times = share * call_times_s(rng, 1, 1000)[0]
        rounds = [Round(seconds=float(part.sum()), iterations=50) for part in times.reshape(20, 50)]
        spread = float(np.exp(rng.normal(0.0, 0.05)))
        starts = {fact: value * share * spread for fact, value in STARTS.items()} if size == 1 else {}
        made[name] = SetUp(
            case=case.name,
            images=size,
            set_up_s=1.0,
            first_call_s=0.03 * share,
            warm_up=[],
            rounds=rounds,
            steady=True,
            facts={"threads": 1.0, "largest_difference": 1.8e-7 * (name == "onnx_runtime"), **starts},
            block=number,
            invocation=number,
            calls=as_calls(times),
        )
    return Block(group=group, invocation=number, index=number, seconds=1.0, set_ups=made)


@pytest.fixture(scope="module")
def run() -> Run:
    return made_up_run()


def test_the_answer_comes_first_and_in_one_sentence(run: Run) -> None:
    sentences = run.answers[0].sentences
    assert sentences[0].startswith("Inference of one image takes ONNX Runtime 0.")
    assert sentences[0].endswith("the time of MXNet's static graph: faster.")
    assert sentences[1].startswith("Inference of 128 images takes ONNX Runtime")
    text = "\n".join(sentences)
    assert "In ONNX Runtime half of the calls of one image take" in text
    assert ", 99.9 % of them at most" in text
    assert "A new process imports ONNX Runtime in" in text
    assert "Every runtime computes on 1 thread; outputs are those of imperative MXNet within 2e-07." in text


def test_without_onnx_runtime_the_answer_says_what_installs_it(run: Run) -> None:
    results = {
        group.rpartition("/")[2]: {name: m for name, m in variants.items() if name != "onnx_runtime"}
        for group, variants in run.measured.items()
    }
    assert inference(results)[0] == NOT_THERE


@pytest.mark.parametrize(
    ("value", "expected"),
    [(19.53e-6, "19.5 \N{MICRO SIGN}s (18.5 to 20.5)"), (0.0421, "42.1 ms"), (1.44, "1.44 s")],
)
def test_a_duration_has_the_unit_that_suits_it(value: float, expected: str) -> None:
    estimate = Estimate(value=value, low=value - 1e-6, high=value + 1e-6, confidence=0.95, n=8)
    if "(" not in expected:
        estimate = msgspec.structs.replace(estimate, low=0.0, high=np.inf)
    assert duration(estimate) == expected


def test_tables_have_quantiles_with_the_exact_coverage_of_their_intervals(run: Run) -> None:
    (section,) = run_page(run).sections
    titles = [table.title for table in section.tables]
    assert "latency/batch_1: latency of a call, intervals of 99.2% over 8 set-ups" in titles
    table = next(t for t in section.tables if "latency of a call" in t.title)
    assert [column.title for column in table.columns] == ["variant", "p50", "p90", "p99", "p99.9"]
    beside = next(t for t in section.tables if t.title == "latency/batch_1: beside the time")
    assert {"import", "load", "first call", "memory"} <= {column.title for column in beside.columns}
    charts = [chart.title for chart in section.charts]
    assert {"Latency of batch_1", "Latency of batch_128"} <= set(charts)


def test_every_format_shows_it(run: Run) -> None:
    page = run_page(run)
    for text in (as_html(page), as_markdown(page), in_terminal(page, 200)):
        assert "p99.9" in text
        assert "ONNX Runtime 0." in text
    assert "p99.9" in as_csv(page)


def test_the_terminal_is_as_it_was(run: Run) -> None:
    text = in_terminal(run_page(run), 120)
    golden("latency_120_utf-8.txt", "\n".join(line.rstrip() for line in text.splitlines()) + "\n")


def test_markdown_is_as_it_was(run: Run) -> None:
    golden("latency.md", as_markdown(run_page(run)))


def _file(run: Run) -> dict[str, Any]:
    from bench.results.run_file import BLOCK, header

    entries = [
        {"extra_info": {BLOCK: entry(run, group, variant)}, "stats": {"median": 1.0}}
        for group, variants in run.measured.items()
        for variant in variants
    ]
    return {BLOCK: header(run), "benchmarks": entries, "datetime": run.measured_at}


def test_a_file_gives_back_the_calls_and_their_quantiles(run: Run) -> None:
    read = run_from(json.dumps(_file(run)).encode(), "lat.json", "lat.json")
    for group, variants in run.measured.items():
        for variant, m in variants.items():
            assert read.measured[group][variant].quantiles == m.quantiles
            assert read.blocks[group][0].set_ups[variant].calls == run.blocks[group][0].set_ups[variant].calls


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ({"ns": [1, 2], "counts": [1]}, "not as many"),
        ({"ns": [], "counts": []}, "not as many"),
        ({"ns": [200, 100], "counts": [1, 1]}, "not in order"),
        ({"ns": [100, 200], "counts": [1, 0]}, "a count of the calls"),
        ({"ns": [0, 200], "counts": [1, 1]}, "a call of"),
    ],
)
def test_calls_that_cannot_be_are_refused(run: Run, calls: dict[str, list[int]], said: str) -> None:
    document = json.loads(json.dumps(_file(run)))
    document["benchmarks"][0]["extra_info"]["mtl_bench"]["set_ups"][0]["calls"] = calls
    with pytest.raises(UserError, match=said):
        run_from(json.dumps(document).encode(), "lat.json", "lat.json")


def test_it_is_asked_by_its_name_alone() -> None:
    from bench.benchmarks.of_task import QUESTIONS
    from bench.commands.network import names_of
    from bench.commands.run import chosen

    assert "latency" not in [module.QUESTION.name for module in chosen([])]
    assert [module.QUESTION.name for module in chosen(["latency"])] == ["latency"]
    assert "latency" in QUESTIONS
    assert "latency" not in names_of([])
    assert names_of(["latency"]) == ["latency"]
