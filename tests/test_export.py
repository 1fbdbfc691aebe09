"""Networks leave MXNet with the outputs that they had in it, or not at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")

from bench.__main__ import app  # noqa: E402  # after the libraries that they need
from bench.workloads.inference import exporting  # noqa: E402
from bench.workloads.inference.onnx_export import names_onnx_dropped, operators_of_mxnet, write_onnx  # noqa: E402
from bench.workloads.inference.onnx_network import OnnxNetwork  # noqa: E402
from bench.workloads.state_dict import fixed_scales, not_carried, state_dict, torch_name  # noqa: E402
from mtl_core.config import NetworkConfig, StepConfig  # noqa: E402
from mtl_core.errors import UserError  # noqa: E402
from mtl_core.platform.mxnet import mx  # noqa: E402
from mtl_core.program import checkpoint  # noqa: E402
from mtl_core.step import TrainingStep  # noqa: E402
from tests.processes import ROOT  # noqa: E402

nn = mx.gluon.nn


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m bench`` with these arguments."""
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def network(*layers: Any, image: tuple[int, ...]) -> Any:
    """Layers whose running means and scales are no round numbers, so that each of them shows."""
    block = nn.HybridSequential()
    block.add(*layers)
    mx.random.seed(1)
    block.initialize(mx.init.Normal(0.5))
    block(mx.nd.zeros((1, *image)))
    for number, parameter in enumerate(block.collect_params().values()):
        if parameter.name.endswith(("gamma", "beta", "running_mean", "running_var")):
            parameter.set_data(mx.nd.array(0.5 + np.arange(parameter.shape[0]) * 0.25 + number / 8))
    return block


class Halves(mx.gluon.HybridBlock):  # type: ignore[misc]
    """ONNX's operator for this has asked for more since MXNet's exporter was written."""

    def hybrid_forward(self, F: Any, images: Any) -> Any:
        one, other = F.split(images, num_outputs=2, axis=1)
        return one * 2 + F.softmax(other, axis=1)


def conv() -> Any:
    return nn.Conv2D(4, 3, in_channels=3)


# What others met when they moved: an epsilon of its own, a Dense that flattens and one that does not, a pool
# that rounds up, with and without what it adds at the edge.
TRAPS: dict[str, Callable[[], tuple[Any, tuple[int, ...]]]] = {
    "epsilon": lambda: (network(conv(), nn.BatchNorm(epsilon=0.3), image=(3, 8, 8)), (3, 8, 8)),
    "fixed scale": lambda: (network(conv(), nn.BatchNorm(scale=False), image=(3, 8, 8)), (3, 8, 8)),
    "flatten": lambda: (network(conv(), nn.Dense(5), image=(3, 8, 8)), (3, 8, 8)),
    "no flatten": lambda: (network(nn.Dense(5, flatten=False), image=(4, 6)), (4, 6)),
    "global pool": lambda: (network(conv(), nn.GlobalAvgPool2D(), image=(3, 8, 8)), (3, 8, 8)),
    "ceil": lambda: (network(conv(), nn.MaxPool2D(2, 2, ceil_mode=True), image=(3, 9, 9)), (3, 9, 9)),
    "split": lambda: (network(Halves(), image=(6,)), (6,)),
    "ceil of a mean": lambda: (network(nn.AvgPool2D(3, 2, 1, ceil_mode=True), image=(3, 8, 8)), (3, 8, 8)),
    "edge of a mean": lambda: (
        network(nn.AvgPool2D(3, 2, 1, count_include_pad=False), image=(3, 9, 9)),
        (3, 9, 9),
    ),
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A checkpoint after three steps."""
    step = TrainingStep(NetworkConfig(), StepConfig())
    for _ in range(3):
        step(mx.nd.random.uniform(shape=(8, 784)), mx.nd.arange(8), mx.nd.arange(8) % 2)
    path = tmp_path / "run.npz"
    checkpoint.save(path, checkpoint.Checkpoint({}, (), (), step.snapshot()))
    return path


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_that_others_met_is_none_here(tmp_path: Path, trap: str) -> None:
    block, image = TRAPS[trap]()
    report = exporting.to_onnx(exporting.traced_block(block, image), tmp_path / "x.onnx")
    assert report["batches"] == 100
    assert len(report["sizes"]) > 4
    assert report["largest_difference"] <= 1e-5
    assert (tmp_path / "x.onnx").stat().st_size > 0


def test_an_export_with_another_epsilon_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trap is one: with PyTorch's epsilon in place of the network's own the check finds it."""
    block, image = TRAPS["epsilon"]()

    def with_another(symbol: Any, parameters: Any, shape: Any, path: Path) -> None:
        write_onnx(symbol, parameters, shape, path)
        model = onnx.load(path)
        (norm,) = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
        (epsilon,) = [attribute for attribute in norm.attribute if attribute.name == "epsilon"]
        epsilon.f = 1e-5
        onnx.save(model, path)

    monkeypatch.setattr("bench.workloads.inference.onnx_export.write_onnx", with_another)
    with pytest.raises(UserError, match=r"ONNX Runtime: outputs for 1 images depart from MXNet's by"):
        exporting.to_onnx(exporting.traced_block(block, image), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_outputs_of_another_shape_are_refused() -> None:
    def twice(images: Any) -> list[Any]:
        return [images[:, :2]]

    with pytest.raises(UserError, match="outputs of"):
        exporting.largest_difference(lambda images: [images], twice, exporting.drawn((3,)), "another")


def test_the_file_takes_any_batch_size_and_its_parameters_are_constants(saved: Path, tmp_path: Path) -> None:
    exporting.to_onnx(exporting.source(saved, None), tmp_path / "x.onnx")
    model = onnx.load(tmp_path / "x.onnx")
    (only,) = model.graph.input
    assert only.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert [each.version for each in model.opset_import] == [13]  # by whose rules it was written
    run = OnnxNetwork(tmp_path / "x.onnx")
    for size in (1, 5, 300):
        assert [output.shape for output in run(np.zeros((size, 784), np.float32))] == [(size, 10), (size, 1)]


def test_every_operator_without_a_counterpart_is_named(tmp_path: Path) -> None:
    data = mx.sym.var("data")
    symbol = mx.sym.erfinv(mx.sym.gamma(mx.sym.abs(data)))
    with pytest.raises(UserError, match="for erfinv, gamma: build") as refused:
        write_onnx(symbol, {}, [exporting.Input((4,))], tmp_path / "x.onnx")
    assert "abs" not in str(refused.value)


def test_onnx_is_left_as_it_was_found() -> None:
    before, newest = hasattr(onnx, "mapping"), onnx.defs.onnx_opset_version()
    checked = dict(onnx.checker.DEFAULT_CONTEXT.opset_imports)
    with operators_of_mxnet():
        assert onnx.defs.onnx_opset_version() == 13
        assert onnx.checker.DEFAULT_CONTEXT.opset_imports == {"": 13}
    assert onnx.defs.onnx_opset_version() == newest
    assert onnx.checker.DEFAULT_CONTEXT.opset_imports == checked
    with names_onnx_dropped():
        kinds = onnx.mapping.NP_TYPE_TO_TENSOR_TYPE
        assert kinds[np.dtype("float32")] == onnx.TensorProto.FLOAT
        assert onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[onnx.TensorProto.INT64] == np.dtype("int64")
    assert hasattr(onnx, "mapping") == before
    assert ("onnx.mapping" in sys.modules) == before


@pytest.mark.parametrize(
    ("mxnet", "torch"),
    [
        ("trunk.0.weight", "trunk.0.weight"),
        ("features.1.gamma", "features.1.weight"),
        ("conv0_bias", "conv0.bias"),
        ("batchnorm0_beta", "batchnorm0.bias"),
        ("stage1_batchnorm2_running_var", "stage1_batchnorm2.running_var"),
        ("lstm0_l0_i2h_state", "lstm0_l0_i2h_state"),
    ],
)
def test_names_are_pytorchs(mxnet: str, torch: str) -> None:
    assert torch_name(mxnet) == torch


def test_a_scale_that_mxnet_takes_for_one_is_one_in_the_file() -> None:
    block, image = TRAPS["fixed scale"]()
    traced = exporting.traced_block(block, image)
    (scale,) = fixed_scales(traced.symbol)
    arrays = {name.partition(":")[2]: array.asnumpy() for name, array in traced.parameters.items()}
    assert not np.allclose(arrays[scale], 1.0)
    tensors, rows = state_dict(arrays, traced.names, {scale})
    (name,) = [row.torch for row in rows if row.mxnet == scale]
    assert np.array_equal(tensors[name], np.ones(4))
    assert name == "1.weight"


def test_two_parameters_never_share_a_name() -> None:
    with pytest.raises(ValueError, match=r"two parameters would be a\.weight"):
        state_dict({"a_gamma": np.ones(2), "a_weight": np.ones(2)}, {}, set())


@pytest.mark.parametrize(
    ("trap", "said"),
    [
        ("epsilon", "eps=0.3"),
        ("flatten", "flattens"),
        ("no flatten", ""),
        ("ceil", "ceil_mode=True"),
        ("global pool", ""),
    ],
)
def test_what_parameters_do_not_carry_is_told(trap: str, said: str) -> None:
    block, image = TRAPS[trap]()
    lines = not_carried(exporting.traced_block(block, image).symbol)
    assert [said in line for line in lines] == ([True] if said else [])


def test_the_command_writes_both_files_and_tells_the_names(saved: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    files = [tmp_path / "x.onnx", tmp_path / "x.safetensors"]
    done = bench("export", str(saved), "--onnx", str(files[0]), "--safetensors", str(files[1]))
    assert done.returncode == 0, done.stderr
    assert "over 100 batches of 1, 2, 3, 7, 8, 32, 33, 128 images" in done.stdout
    assert "computed from the file in NumPy" in done.stdout
    tensors = load_file(files[1])
    parameters = checkpoint.load(saved).snapshot.parameters
    names = [*(f"trunk.{n}.{kind}" for n in range(3) for kind in ("weight", "bias"))]
    names += [f"{head}.{kind}" for head in ("digits", "odd_even") for kind in ("weight", "bias")]
    assert sorted(tensors) == sorted(names)
    for name, parameter in zip(names, parameters, strict=True):
        assert np.array_equal(tensors[name], parameter.asnumpy())
        assert f"  {name}  " in done.stdout


@pytest.mark.whole
def test_anybodys_network_is_exported_from_what_gluon_wrote(tmp_path: Path) -> None:
    block, _ = TRAPS["epsilon"]()
    block.hybridize()
    block(mx.nd.zeros((1, 3, 8, 8)))
    block.export(str(tmp_path / "net"))
    source = str(tmp_path / "net-symbol.json")
    onnx_file, tensors = str(tmp_path / "x.onnx"), str(tmp_path / "x.safetensors")
    done = bench("export", source, "--input-shape", "3,8,8", "--onnx", onnx_file, "--safetensors", tensors)
    assert done.returncode == 0, done.stderr
    assert "eps=0.3" in done.stdout
    other = bench("export", source, "--onnx", onnx_file)
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "--input-shape" in other.stderr
    misfit = bench("export", source, "--input-shape", "784", "--onnx", onnx_file)
    assert (misfit.returncode, misfit.stderr.count("\n")) == (2, 1)
    assert "give another --input-shape" in misfit.stderr


def test_bad_input_costs_a_line_each(tmp_path: Path) -> None:
    onnx_file = str(tmp_path / "x.onnx")
    missing = str(tmp_path / "none.npz")
    for arguments, said in (
        (("export", missing), "nothing to write"),
        (("export", missing, "--onnx", onnx_file), "none.npz cannot be read"),
        (("export", missing, "--onnx", onnx_file, "--input-shape", "3,x"), "--input-shape is '3,x'"),
        (("export", __file__, "--onnx", str(tmp_path)), "cannot be written"),
    ):
        done = bench(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_written_over_what_is_read_or_over_another(saved: Path, tmp_path: Path) -> None:
    before, both = saved.read_bytes(), str(tmp_path / "both")
    symbol, of_an_epoch = tmp_path / "net-symbol.json", tmp_path / "net-0010.params"
    for file in (symbol, of_an_epoch):
        file.write_text("{}")
    for arguments, said in (
        ((str(saved), "--safetensors", str(saved)), "is what is read"),
        ((str(saved), "--onnx", both, "--safetensors", both), "is --onnx's file too"),
        ((str(symbol), "--input-shape", "4", "--onnx", str(of_an_epoch)), "is what is read"),
        ((str(saved), "--input-shape", "3,32,32", "--onnx", both), "--input-shape is for NAME-symbol.json"),
    ):
        done = CliRunner().invoke(app, ["export", *arguments])
        assert isinstance(done.exception, UserError) and said in str(done.exception), done.output
    assert saved.read_bytes() == before and not Path(both).exists()


@pytest.mark.filterwarnings("ignore:Cannot decide type")  # MXNet's own, as it reads a graph
def test_parameters_of_any_epoch_are_found_and_several_are_named(tmp_path: Path) -> None:
    block, image = TRAPS["epsilon"]()
    exporting.trace(block, [exporting.Input(image)])
    block.export(str(tmp_path / "net"), epoch=10)
    block.export(str(tmp_path / "net-other"), epoch=3)  # whose name begins alike
    source = tmp_path / "net-symbol.json"
    assert exporting.source(source, image).parameters
    block.export(str(tmp_path / "net"), epoch=20)
    with pytest.raises(UserError, match=r"several epochs beside it: net-0010.params, net-0020.params"):
        exporting.source(source, image)
    source.with_name("net-0010.params").unlink()
    source.with_name("net-0020.params").unlink()
    with pytest.raises(UserError, match=r"net-0000.params is not there"):
        exporting.source(source, image)


def test_what_is_not_installed_is_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.machine import libraries

    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name != "numpy" else object())
    assert libraries.why_missing("numpy") is None
    assert libraries.why_missing("numpy", "onnx", "onnxruntime") == (
        "onnx and onnxruntime are not installed; pip install 'mtl-bench[onnx]' would"
    )


TASK = """
import numpy as np
from mxnet import gluon
from mxnet.gluon import nn
from mtl_core.task import Task

class Two(gluon.HybridBlock):
    def __init__(self, plain=False):
        super().__init__()
        with self.name_scope():
            self.words = nn.Embedding(7, 4)
            self.out = nn.Dense(3, in_units=6)
            self.norm = nn.BatchNorm(in_channels=2, epsilon=0.3)

    def hybrid_forward(self, F, ids, numbers):
        read = F.concat(F.mean(self.words(ids), axis=1), self.norm(numbers), dim=1)
        return self.out(read), F.sum(numbers, axis=1)

class Plain(gluon.Block):
    def __init__(self):
        super().__init__()
        self.two = Two()

    def forward(self, ids, numbers):
        return self.two(ids, numbers)

def batch(size, rng):
    ids = rng.integers(0, 7, (size, 5)).astype("int32")
    numbers = rng.normal(size=(size, 2)).astype("float32")
    return (ids, numbers), {"kind": rng.integers(0, 3, size), "sum": numbers[:, 0]}

def longer(size, rng):
    (ids, numbers), labels = batch(size, rng)
    return (np.tile(ids, (1, 1 + size % 2)), numbers), labels

def task(network=None, batch=batch):
    losses = {"kind": gluon.loss.SoftmaxCELoss(), "sum": gluon.loss.L2Loss()}
    return Task(network=network or Two(), losses=losses, batch=batch, optimizer="sgd")

def plain():
    return task(Plain())

def uneven():
    return task(batch=longer)
"""


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module with tasks of two inputs, words and numbers, and two heads."""
    (tmp_path / "acme_inference.py").write_text(TASK, encoding="utf-8")
    monkeypatch.setenv("BENCH_PROJECT", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "acme_inference", raising=False)
    return "acme_inference"


def test_a_declared_network_is_checked_on_the_batches_that_it_draws(declared: str, tmp_path: Path) -> None:
    traced = exporting.traced_task(f"{declared}:task")
    sizes = [tuple(len(array) for array in batch) for batch in traced.batches()]
    assert len(sizes) == 100
    assert set(sizes) == {(size, size) for size in exporting.SIZES}
    signs: list[str] = []
    report = exporting.export(
        None,
        None,
        str(tmp_path / "x.onnx"),
        str(tmp_path / "x.safetensors"),
        f"{declared}:task",
        signs.append,
    )
    assert report["onnx"]["largest_difference"] <= 1e-5
    assert len(signs) == 100
    assert {row[1] for row in report["safetensors"]["names"]} >= {
        "words.weight",
        "out.bias",
        "norm.running_var",
    }
    assert [line for line in report["safetensors"]["by_hand"] if "eps=0.3" in line]
    inputs = [each.name for each in onnx.load(tmp_path / "x.onnx").graph.input]
    assert sorted(inputs) == ["data0", "data1"]


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("plain", "a Block and no HybridBlock"),
        ("uneven", "expected samples along the first axis, all of one"),
    ],
)
def test_a_declared_network_that_has_no_export_is_told_why(
    declared: str, tmp_path: Path, factory: str, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        exporting.export(None, None, str(tmp_path / "x.onnx"), None, f"{declared}:{factory}")
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.parametrize("runtime", ["static", "exported", "onnx_runtime"])
def test_a_declared_network_has_its_latency_in_each_runtime(declared: str, runtime: Any) -> None:
    from bench.workloads.inference.latency import Latency

    workload = Latency(runtime=runtime, batch_size=3, network=f"{declared}:task")
    workload.run(2)
    assert len(workload.calls_ns) == 2
    assert workload.facts()["largest_difference"] <= 1e-5
    workload.close()


def test_a_file_that_onnx_runtime_does_not_take_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    with pytest.raises(UserError, match=r"^ONNX Runtime does not take x\.onnx: [^\n]+$"):
        OnnxNetwork(tmp_path / "x.onnx")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "nothing to export; give a checkpoint"),
        (("x.npz", "--network", "acme.bench:task"), "give one of them"),
        (("--network", "acme.bench:task", "--input-shape", "3"), "draws its own batches"),
        (("--network", "acme"), "--network is 'acme'; expected module:factory"),
    ],
)
def test_a_source_is_a_file_or_a_declared_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    from typer.testing import CliRunner

    from bench.__main__ import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["export", *arguments, "--onnx", "x.onnx"])
    assert isinstance(done.exception, UserError)
    assert said in str(done.exception)
