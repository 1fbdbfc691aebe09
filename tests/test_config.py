"""Each setting out of range is refused in one line that names it and what was expected."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mtl_core.config import NetworkConfig, StepConfig, TrainConfig
from mtl_core.errors import UserError

NAN, INFINITE = float("nan"), float("inf")
OUT_OF_RANGE: list[tuple[type, str, list[Any], str]] = [
    (NetworkConfig, "inputs", [0, -1], "at least 1"),
    (NetworkConfig, "trunk", [(0,), (128, -1)], "at least 1 unit"),
    (
        NetworkConfig,
        "heads",
        [(), ("colour",), ("digits", "digits")],
        "one or more of digits, odd_even, each once",
    ),
    (StepConfig, "mode", ["fast", ""], "one of imperative, hybridized, static, whole_graph"),
    (StepConfig, "alpha", [-0.1, 1.1, NAN, INFINITE], "from 0 to 1"),
    (StepConfig, "learning_rate", [0.0, -1.0, NAN, INFINITE], "above 0"),
    (StepConfig, "seed", [-1, 2**31], "from 0 to 2147483647"),
    (TrainConfig, "epochs", [0, -5], "at least 1"),
    (TrainConfig, "batch_size", [0, 60_001], "1 to 60000 images"),
]
CASES = [(kind, name, value, expected) for kind, name, values, expected in OUT_OF_RANGE for value in values]


@pytest.mark.parametrize(("kind", "name", "value", "expected"), CASES)
def test_a_value_out_of_range_is_refused_in_one_line(
    kind: type, name: str, value: Any, expected: str
) -> None:
    with pytest.raises(UserError) as refusal:
        kind(**{name: value})
    line = str(refusal.value)
    assert line.startswith(f"{name.replace('_', '-')} is {value!r}; expected ")
    assert expected in line
    assert "\n" not in line


@pytest.mark.parametrize("kind", [NetworkConfig, StepConfig, TrainConfig])
def test_every_setting_with_a_range_is_in_the_table(kind: type) -> None:
    plain = {
        field.name
        for field in dataclasses.fields(kind)
        if not dataclasses.is_dataclass(getattr(kind(), field.name))
    }
    assert plain == {name for owner, name, _, _ in OUT_OF_RANGE if owner is kind}


@pytest.mark.parametrize(
    "setting",
    [{"alpha": 0.0}, {"alpha": 1.0}, {"seed": 0}, {"seed": 2**31 - 1}, {"learning_rate": 1e-9}],
)
def test_the_ends_of_a_range_are_in_it(setting: dict[str, Any]) -> None:
    assert dataclasses.asdict(StepConfig(**setting)).items() >= setting.items()


def test_the_defaults_are_the_tutorials() -> None:
    config = TrainConfig()
    assert (config.epochs, config.batch_size) == (5, 128)
    assert (config.step.alpha, config.step.learning_rate) == (0.5, 0.01)
    assert config.network == NetworkConfig(inputs=784, trunk=(128, 64, 10), heads=("digits", "odd_even"))


def test_settings_cannot_change_once_made() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().epochs = 3  # type: ignore[misc]
