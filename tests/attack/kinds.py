"""Every kind of file that is read: a whole one, how it is damaged, what reads it and what shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from bench.commands.network import golden_of, network_of
from bench.commands.report import page_of
from bench.comparison.profiles import compare_shares, read_shares
from bench.comparison.runs import compare
from bench.counters.work import changes
from bench.gate.environments import declared_names, dependencies
from bench.gate.tolerances import tolerances
from bench.results import recording_file as trust_recording
from bench.results.costs import LONGEST_S, costs_in, read_costs
from bench.results.profile_file import PROFILE_FILE, read_profile
from bench.results.recognise import read_regression
from bench.results.run_file import read_run
from bench.results.work_file import GOLDEN, read_golden
from bench.trust.study import study
from bench.workloads.peers import problem_file
from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.data import mnist
from mtl_core.program import checkpoint, picture
from mtl_core.program.predict import predict
from mtl_core.step import TrainingStep
from reports.model.page import Page
from reports.pages.comparison import comparison_page
from reports.pages.operators import operators_page
from reports.pages.run import run_page
from reports.pages.trust import trust_page
from reports.pages.work import work_page
from tests.attack import damage, wholes
from tests.test_harness import PlayedPool
from tests.test_mnist import NAMES, small_files

OLD = Path(__file__).parents[1] / "old_runs"


def nothing(_path: Path) -> list[Page]:
    return []


@dataclass(frozen=True)
class Kind:
    """``whole`` makes the file's content; ``read`` and ``pages`` raise UserError where it is refused."""

    whole: Callable[[], bytes]
    damage: damage.Damage
    read: Callable[[Path], object]
    pages: Callable[[Path], list[Page]] = nothing
    file: str = "file"


def _run(whole: Path) -> Kind:
    """Shown by itself, and beside a whole one."""

    def pages(path: Path) -> list[Page]:
        return [page_of(path), comparison_page(compare([read_run(whole), read_run(path)]))]

    return Kind(whole.read_bytes, damage.damaged_json, read_run, pages, "run.json")


def _resume(path: Path) -> list[Page]:
    return [run_page(wholes.measured(path, True, PlayedPool()))]


def _profile_pages(path: Path) -> list[Page]:
    whole = path.with_name("whole")
    whole.mkdir(exist_ok=True)
    (whole / PROFILE_FILE).write_bytes(wholes.profile())
    shares = compare_shares([read_shares(whole), read_shares(path)], ["whole", "damaged"])
    return [page_of(path), operators_page(shares)]


def _golden_pages(path: Path) -> list[Page]:
    golden, counted = read_golden(path).work, read_golden(GOLDEN).work
    return [work_page(golden, None), work_page(counted, changes(golden, counted))]


def _replayed(path: Path) -> list[Page]:
    replayed = study([path], [10.0], 0.02, 0)
    return [] if replayed is None else [trust_page(replayed)]


def _used(path: Path) -> object:
    """A checkpoint as ``predict`` and ``train --resume`` take it."""
    saved = checkpoint.load(path)
    checkpoint.differing(saved.settings, wholes.SETTINGS)
    step = TrainingStep(NetworkConfig(), StepConfig(mode="imperative"))
    checkpoint.check_network(path, saved.snapshot, step)
    step.restore(saved.snapshot)
    with np.errstate(all="ignore"):
        return predict(step, np.full((28, 28), 100, np.uint8))


def _loaded(path: Path) -> object:
    return checkpoint.differing(checkpoint.load(path).settings, wholes.SETTINGS)


def _seen(path: Path) -> object:
    image, did = picture.from_file(path)
    assert image.shape == (28, 28) and all(isinstance(each, str) for each in did)
    return picture.as_text(image), picture.half_blocks(image)


def _unpacked(path: Path) -> object:
    """As if the checksum were right, which it never is of a damaged file."""
    with mock.patch.object(mnist, "_mismatch", lambda compressed, name: None):
        return mnist._file(path.parent, True, path.name, False, None, [])


def _costs(path: Path) -> object:
    """As a run reads them, which does without where they are damaged."""
    assert all(0 <= each <= LONGEST_S for each in read_costs(path, "a machine").values())
    return costs_in(path)


def _problem(path: Path) -> object:
    return problem_file.read(path, 8)


def _declared(path: Path) -> object:
    folder = path.parent
    with mock.patch.dict("os.environ"):
        network_of(None, None, folder)
    return tolerances(folder, None), golden_of(folder), dependencies(folder, "cpu"), declared_names(folder)


def _image(kind: str, mode: str = "L") -> Kind:
    return Kind(lambda: wholes.image(kind, mode), damage.damaged_bytes, _seen)


def _of_mnist(name: str) -> Kind:
    return Kind(lambda: small_files()[name], damage.damaged_gzip, _unpacked, file=name)


def _toml() -> bytes:
    return "\n".join(f'"{name}" = {damage.toml(part)}' for name, part in wholes.DECLARED.items()).encode()


KINDS: dict[str, Kind] = {
    "run of schema 1": _run(OLD / "schema1.json"),
    "run of schema 2": _run(OLD / "schema2.json"),
    "run of pytest-benchmark": _run(OLD / "pytest_benchmark.json"),
    "journal": Kind(wholes.journal, damage.damaged_lines, _resume, _resume, "run.journal"),
    "regression": Kind(
        wholes.regression, damage.damaged_json, read_regression, lambda path: [page_of(path)], "r.json"
    ),
    "profile": Kind(wholes.profile, damage.damaged_json, read_profile, _profile_pages, PROFILE_FILE),
    "recording": Kind(wholes.recording, damage.damaged_lines, trust_recording.read, _replayed, "trust.jsonl"),
    "golden": Kind(GOLDEN.read_bytes, damage.damaged_json, read_golden, _golden_pages, "golden.json"),
    "checkpoint": Kind(wholes.trained, damage.damaged_archive, _used, file="run.npz"),
    "costs of set-ups": Kind(wholes.costs, damage.damaged_json, _costs, file="set-ups.costs"),
    "problem of the peers": Kind(wholes.peers_problem, damage.damaged_problem, _problem, file="problem.npz"),
    "small checkpoint": Kind(wholes.archive, damage.damaged_archive, _loaded, file="small.npz"),
    "declaration": Kind(_toml, damage.damaged_toml(wholes.DECLARED), _declared, file="pyproject.toml"),
    "MNIST images": _of_mnist(NAMES[0]),
    "MNIST labels": _of_mnist(NAMES[1]),
    "png": _image("PNG"),
    "png of 16 bits": _image("PNG", "I;16"),
    "png with a palette": _image("PNG", "P"),
    "jpeg": _image("JPEG"),
    "tiff": _image("TIFF"),
    "gif": _image("GIF", "P"),
    "webp": _image("WEBP", "RGB"),
}
