"""How much slower is still the same: the option, the table in pyproject.toml, the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.gate.tolerances import parse_tolerance, tolerances
from bench.questions.shares import parse_share
from bench.stats.verdict import TOLERANCE
from mtl_core.errors import UserError


def project(tmp_path: Path, text: str) -> Path:
    (tmp_path / "pyproject.toml").write_text(text)
    return tmp_path


@pytest.mark.parametrize(("text", "value"), [("2%", 0.02), ("0.5 %", 0.005), ("0.03", 0.03), (0.04, 0.04)])
def test_a_share_is_read(text: object, value: float) -> None:
    assert parse_tolerance(text, "x") == pytest.approx(value)


@pytest.mark.parametrize("text", ["two", "-1%", "0", "100%", "1e-3", "", "nan", True])
def test_what_is_no_share_is_refused_with_its_place(text: object) -> None:
    with pytest.raises(UserError, match=r"--tolerance is .*; expected a share"):
        parse_tolerance(text, "--tolerance")


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("0%", 0.0), (".5", 0.5), ("5.%", 0.05)])
def test_a_share_may_be_none_at_all_where_that_means_something(text: str, value: float) -> None:
    assert parse_share(text, "--drift") == pytest.approx(value)
    with pytest.raises(UserError, match="--drift is '100%'; expected a share below 100 %"):
        parse_share("100%", "--drift")


def test_each_benchmark_may_have_its_own(tmp_path: Path) -> None:
    found = tolerances(project(tmp_path, '[tool.mtl-bench.tolerance]\nstep = "3%"\n'), None)
    assert found("step") == pytest.approx(0.03)
    assert found("epoch") == TOLERANCE


def test_the_option_goes_before_the_file(tmp_path: Path) -> None:
    found = tolerances(project(tmp_path, '[tool.mtl-bench.tolerance]\nstep = "3%"\n'), "5%")
    assert found("step") == pytest.approx(0.05)


def test_without_a_file_the_default_holds(tmp_path: Path) -> None:
    assert tolerances(tmp_path, None)("step") == TOLERANCE


def test_a_name_that_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    found = tolerances(project(tmp_path, '[tool.mtl-bench.tolerance]\nstpe = "3%"\n'), None)
    with pytest.raises(
        UserError, match=r"'stpe' in .* is no benchmark of the gate; expected one of step, epoch"
    ):
        found.check(["step", "epoch"])
    found.check(["stpe"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tool.mtl-bench.tolerance]\nstep = "lots"\n', "step in .* is 'lots'"),
        ("[tool.mtl-bench]\ntolerance = 3\n", "expected a line such as"),
        ("[tool.mtl-bench\n", "cannot be read"),
    ],
)
def test_a_bad_file_costs_one_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        tolerances(project(tmp_path, text), None)
