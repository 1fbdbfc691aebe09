"""The questions that can be asked of a network that somebody declared; each is built from its declaration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.answers.devices import each_device, why_no_gpu
from bench.answers.heads import ALL, SEPARATE, cost_of_heads, in_words
from bench.answers.latency import BASELINE, ONNX, inference
from bench.answers.loading import fastest_loader, parts_of_epoch
from bench.answers.modes import modes_of_task
from bench.answers.sizes import growth, growth_fits
from bench.answers.training import task_slowing_down
from bench.harness.probe import nothing_computes
from bench.machine.identity import cores_granted
from bench.machine.libraries import why_missing
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Quick, Results, Settings, Variant
from bench.records.declared import Declared
from mtl_core.config import MODES
from mtl_core.platform.denormals import possible
from mtl_core.platform.gpu_choice import Choice, choose

STEP, SEPARATE_STEPS = "bench.workloads.task:TaskWorkload", "bench.workloads.task:SeparateTasks"
LOADING, EPOCH = "bench.workloads.task_loading:TaskLoading", "bench.workloads.task_loading:TaskEpoch"
TRAINING = "bench.workloads.task_loading:TaskTraining"
LATENCY, INFERENCE_SIZES = "bench.workloads.inference.latency:Latency", (1, 8, 32, 128)
COUNTS, CORES = (0, 1, 2, 4), max(1, int(cores_granted()))  # of DataLoader workers
MOST_BATCHES = 40  # a pass
STRETCH, STRETCHES, PIECES = 200, 8, 4  # steps in what stands for an epoch, how many, timed in pieces
PARTS = {part: Part(settings={"part": part}) for part in ("forward", "forward_backward", "step")}


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What the questions are built from: the task, and what was found out for one of them."""

    task: Declared
    sizes: Sequence[int] = ()  # batch sizes that memory and time allow

    @property
    def fixed(self) -> Settings:
        """The settings that every workload of the task has."""
        return {"network": self.task.network, "batch_size": self.task.batch_size}


def _said(basis: Basis, say: Callable[[Results], list[str]]) -> Callable[[Results], list[str]]:
    """The answer, and what was measured."""
    return lambda results: [*say(results), in_words(basis.task)]


def hybridize(basis: Basis) -> Question:
    """The modes that the network can be run in, against imperative."""
    task = basis.task
    modes = [mode for mode in MODES if mode not in task.impossible]
    return Question(
        name="hybridize",
        asks="What does hybridizing buy?",
        workload=STEP,
        parts=PARTS,
        headline="step",
        variants={mode: _of_mode(mode, task) for mode in modes},
        baseline="imperative",
        fixed=basis.fixed,
        answer=_said(basis, lambda results: modes_of_task(results["step"], task)),
        quick=Quick(parts=("step",)),
    )


def _of_mode(mode: str, task: Declared) -> Variant:
    apart = task.differs.get(mode)
    return Variant(settings={"mode": mode}, departs=apart.in_words if apart else "")


def heads(basis: Basis) -> Question:
    """All heads against all but one, each alone, and a network for each."""
    task = basis.task
    chosen = {c: heads for c, heads in task.choices().items() if c not in task.heads_impossible}
    variants = {ALL: Variant(), **{c: Variant(settings={"heads": heads}) for c, heads in chosen.items()}}
    if not task.heads_impossible and len(task.heads) > 1:
        variants[SEPARATE] = Variant(workload=SEPARATE_STEPS, settings={"heads": task.heads})
    return Question(
        name="heads",
        asks="What does each head cost?",
        workload=STEP,
        parts=PARTS,
        headline="step",
        variants=variants,
        baseline=ALL,
        fixed={**basis.fixed, "mode": task.best_mode},
        answer=_said(basis, lambda results: cost_of_heads(results["step"], task)),
        skipped=lambda: _no_heads(task),
        quick=Quick(parts=("step",)),
    )


def _no_heads(task: Declared) -> str | None:
    """Why the cost of each head cannot be measured; None where it can."""
    name = task.network.partition(":")[2]
    if len(task.heads) == 1:
        return f"{task.network} has one head, {task.heads[0]}"
    return None if task.takes_heads else f"{task.network} takes no heads; write it as def {name}(heads=None)"


def batch_size(basis: Basis) -> Question:
    """Sizes in powers of two, as far as memory and time allow, and the task's own."""
    more = [basis.task.larger_left_out] if basis.task.larger_left_out else []
    return Question(
        name="batch_size",
        asks="How does throughput grow with the batch size?",
        workload=STEP,
        variants={str(size): Variant(settings={"batch_size": size}) for size in basis.sizes},
        baseline=str(basis.task.batch_size),
        fixed={"network": basis.task.network, "mode": basis.task.best_mode},
        answer=_said(basis, lambda results: [*growth(results["step"]), *more]),
        fits=lambda results: growth_fits(results["step"]),
        plan=Plan(
            target=0.2,  # of the widest of so many: what is recommended hangs on their order
            least_blocks=3,
        ),
    )


def device(basis: Basis, choice: Choice | None = None) -> Question:
    """CPU against each GPU, with the batch already there and with the copy included."""
    gpus = choice or choose()
    ways = {
        f"{name}_{way}": (name, way == "copied") for name in gpus.devices for way in ("resident", "copied")
    }
    return Question(
        name="device",
        asks="What does a GPU buy?",
        workload=STEP,
        parts={f"batch_{basis.task.batch_size}": Part()},
        variants={
            "cpu": Variant(),
            **{n: Variant(settings={"device": d, "copy_each_batch": c}) for n, (d, c) in ways.items()},
        },
        baseline="cpu",
        fixed={**basis.fixed, "mode": basis.task.best_mode},
        answer=_said(basis, each_device),
        skipped=lambda: why_no_gpu(gpus) or nothing_computes(gpus.devices),
    )


def loader_workers(basis: Basis) -> Question:
    """The dataset's batches with more and more workers, and where an epoch's time goes."""
    task = basis.task
    samples = min(task.samples, MOST_BATCHES * task.batch_size)
    epoch = {"epoch": Variant(), "unsplit": Variant(settings={"split": False})}
    counts = [count for count in COUNTS if count <= CORES]
    return Question(
        name="loader_workers",
        asks="How many DataLoader workers pay?",
        workload=LOADING,
        parts={
            "loading": Part(),
            "epoch": Part(
                workload=EPOCH, variants=epoch, baseline="epoch", settings={"mode": task.best_mode}
            ),
        },
        headline="loading",
        variants={f"workers_{n}": Variant(settings={"workers": n}) for n in counts},
        baseline="workers_0",
        fixed={**basis.fixed, "samples": samples},
        answer=_said(
            basis,
            lambda results: [
                *fastest_loader(results["loading"]),
                *parts_of_epoch(results["epoch"], {"epoch": "An epoch without workers"}, "samples"),
            ],
        ),
        skipped=lambda: None if task.samples else f"{task.network} has no dataset",
        plan=Plan(
            rounds=2,
            target=0.25,
            warm_ups=2,
            steady_within=0.3,
            least_blocks=3,
        ),
    )


def drift(basis: Basis) -> Question:
    """Training that goes on, against its first stretch again and again, and with denormals flushed."""
    flush = {"flush": Variant(environment={"MTL_DENORMALS": "flush"})} if possible() else {}
    return Question(
        name="drift",
        asks="Does training slow down as it goes on?",
        workload=TRAINING,
        parts={"epoch": Part()},
        variants={
            "first_epoch": Variant(settings={"again": True}, environment={"MTL_DENORMALS": "keep"}),
            "keep": Variant(environment={"MTL_DENORMALS": "keep"}),
            **flush,
        },
        baseline="first_epoch",
        answer=_said(basis, task_slowing_down),
        fixed={**basis.fixed, "mode": basis.task.best_mode, "steps": STRETCH, "pieces": PIECES},
        control=False,
        plan=Plan(
            rounds=STRETCHES * PIECES,
            target=0.1,
            warm_ups=0,
            narrow=False,
            least_blocks=3,
        ),
    )


def latency(basis: Basis) -> Question:
    """One call at inference of each runtime that the network has, in batches of several sizes."""
    task = basis.task
    runtimes = ["imperative"]
    if "hybridized" not in task.impossible:
        runtimes += [name for name in ("hybridized", BASELINE) if name not in task.impossible]
        runtimes += ["exported", *([] if why_missing("onnx", "onnxruntime") else [ONNX])]
    return Question(
        name="latency",
        asks="How long does one call take at inference?",
        workload=LATENCY,
        parts={f"batch_{n}": Part(settings={"batch_size": n, "start": n == 1}) for n in INFERENCE_SIZES},
        headline="batch_1",
        variants={runtime: Variant(settings={"runtime": runtime}) for runtime in runtimes},
        baseline=BASELINE if BASELINE in runtimes else "imperative",
        fixed={"network": task.network},
        answer=_said(basis, lambda results: [*inference(results), *_no_graph(task)]),
        plan=Plan(rounds=60, least_blocks=6, fresh=True),
        by_name=True,
        quick=Quick(parts=("batch_1",), rounds=20),
    )


def _no_graph(task: Declared) -> list[str]:
    """Why only imperative MXNet was measured, where that is so."""
    why = task.impossible.get("hybridized")
    return [f"Exported and in ONNX Runtime it cannot be had: {why}."] if why else []


QUESTIONS: dict[str, Callable[[Basis], Question]] = {
    "hybridize": hybridize,
    "heads": heads,
    "batch_size": batch_size,
    "device": device,
    "loader_workers": loader_workers,
    "drift": drift,
    "latency": latency,
}
BY_NAME = ("latency",)  # never asked without its name


def test_task(measured_variant):  # type: ignore[no-untyped-def]
    """One variant of whichever of these questions were built."""
    measured_variant()
