"""A question that is asked by its name alone is measured for nobody who did not name it."""

from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)
QUESTION = """
from bench.questions.question import Question, Variant

QUESTION = Question(
    name="{name}",
    asks="?",
    workload="none:None",
    variants={{"a": Variant()}},
    baseline="a",
    answer=lambda results: [],
    control=False,
    by_name={by_name},
)


def test_it(measured_variant):
    measured_variant()
"""


@pytest.mark.parametrize(
    ("arguments", "both"),
    [
        ((), False),
        (("test_usual.py",), False),
        (("test_named.py", "test_usual.py"), True),
        (("-k", "it"), True),
    ],
)
def test_pytest_leaves_it_out_unless_it_is_named(
    pytester: pytest.Pytester, arguments: tuple[str, ...], both: bool
) -> None:
    pytester.makepyfile(
        test_named=QUESTION.format(name="named", by_name=True),
        test_usual=QUESTION.format(name="usual", by_name=False),
    )
    done = pytester.runpytest_inprocess("--collect-only", "-q", "-p", "no:cacheprovider", *arguments)
    told = done.stdout.str()
    assert "usual/step/a" in told
    assert ("named/step/a" in told) == both
