"""The pytest plugin: gathers what the benchmark modules declare, measures it all under one budget,
and hands each variant's interleaved samples to pytest-benchmark.

``pytest bench`` works as a user of pytest-benchmark expects: ``-k``, ``--benchmark-json``,
``--benchmark-save``, ``--benchmark-compare`` and the rest. Measuring happens when the first
selected variant is about to run, so that ``--collect-only`` measures nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from mtl_core.errors import UserError

if TYPE_CHECKING:
    from bench.records import Ratio, SetUp
    from bench.session import Outcome, Session

FIXTURE = "measured_variant"
BLOCK = "mtl_bench"  # the key of our block in pytest-benchmark's JSON
OUTCOME: pytest.StashKey[Outcome] = pytest.StashKey()
REFUSED: pytest.StashKey[UserError] = pytest.StashKey()  # what the user has to mend
SESSION: pytest.StashKey[Session] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a run under plain pytest."""
    group = parser.getgroup("mtl-bench", "interleaved benchmarks of the multi-task network")
    group.addoption("--mtl-budget", default="5m", help="time for all that is selected, such as 90s or 5m")
    group.addoption("--mtl-quick", action="store_true", help="fewer variants where a question has many")
    group.addoption("--mtl-seed", type=int, default=0, help="seed of the random order of rounds")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a variant, with the stable identifier that histories hang on."""
    if FIXTURE not in metafunc.fixturenames:
        return
    question = metafunc.module.QUESTION
    quick = metafunc.config.getoption("--mtl-quick")
    cases = [(group, case) for group in question.groups(quick) for case in group.cases.values()]
    metafunc.parametrize(FIXTURE, cases, ids=[case.name for _, case in cases], indirect=True)


def _session(config: pytest.Config) -> Session:
    from bench.session import Session, parse_duration

    if SESSION not in config.stash:
        config.stash[SESSION] = Session(
            budget_s=parse_duration(config.getoption("--mtl-budget")), seed=config.getoption("--mtl-seed")
        )
    return config.stash[SESSION]


def _outcome(session: pytest.Session) -> Outcome:
    """Measure what is selected, once."""
    config = session.config
    if OUTCOME not in config.stash:
        items = [item for item in session.items if FIXTURE in getattr(item, "fixturenames", ())]
        groups = {item.callspec.params[FIXTURE][0].name: item.callspec.params[FIXTURE][0] for item in items}  # type: ignore[attr-defined]
        try:
            config.stash[OUTCOME] = _session(config).measure(list(groups.values()))
        except UserError as error:
            config.stash[REFUSED] = error
            pytest.exit(f"error: {error}", returncode=2)
    return config.stash[OUTCOME]


class ReplayedClock:
    """A timer whose differences are the rounds that were measured."""

    def __init__(self, seconds: list[float]) -> None:
        self.times: Iterator[float] = iter([t for duration in seconds for t in (0.0, duration)])

    def __call__(self) -> float:
        return next(self.times)


def _replay(benchmark: Any, set_ups: list[SetUp]) -> None:
    """Give pytest-benchmark the rounds as if it had timed them, one iteration each."""
    rounds = [r.iteration_s for set_up in set_ups for r in set_up.rounds]
    benchmark._timer = ReplayedClock(rounds)
    benchmark.pedantic(lambda: None, rounds=len(rounds), iterations=1)


def _effect(ratio: Ratio) -> dict[str, float]:
    """Time of the variant over time of its baseline, with the interval that holds it."""
    found = ratio.estimate
    ends = {"low": found.low, "high": found.high, "confidence": found.confidence}
    return {"ratio": found.value, **ends, "n": found.n}


@pytest.fixture
def measured_variant(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Hands the variant's samples to pytest-benchmark; skips with the reason where there are none."""
    group, case = request.param
    benchmark = request.getfixturevalue("benchmark")
    benchmark.group = group.name

    def hand_over() -> None:
        import msgspec

        reason = group.question.skipped()
        if reason:
            benchmark.skipped = True
            pytest.skip(reason)
        outcome = _outcome(request.session)
        if case.name in outcome.failures:
            benchmark.skipped = True
            failure = outcome.failures[case.name]
            pytest.fail("\n".join([f"{case.name}: {failure.reason}", *failure.last_lines]), pytrace=False)
        known = outcome.measured[group.name][case.variant]
        set_ups = [b.set_ups[case.variant] for b in outcome.blocks[group.name] if case.variant in b.set_ups]
        _replay(benchmark, set_ups)
        benchmark.extra_info[BLOCK] = {
            "case": msgspec.to_builtins(case),
            "images": known.images,
            "images_per_s": msgspec.to_builtins(known.images_per_s),
            "iteration_s": msgspec.to_builtins(known.iteration_s),
            "first_call_s": msgspec.to_builtins(known.first_call_s),
            "facts": known.facts,
            "set_ups": msgspec.to_builtins(set_ups),
            "effect": None if known.effect is None else _effect(known.effect),
            "verdict": None if known.effect is None else known.effect.verdict,
        }

    return hand_over


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Our block at the top of the file."""
    if OUTCOME in config.stash:
        output_json[BLOCK] = config.stash[OUTCOME].block()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the workers, whatever happened."""
    if SESSION in config.stash:
        config.stash[SESSION].close()
