"""What is shown of a file's text cannot act on a terminal or on the reader's eye."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.model.text import LONGEST, harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("hybridize/step/static", "hybridize/step/static"),
        ("größer: 1.07 µs — 中文 é", "größer: 1.07 µs — 中文 é"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x9b2J", r"\x9b2J"),
        ("abc\u202ecba", r"abc\u202ecba"),
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("half \ud800", r"half \ud800"),
    ],
)
def test_what_is_seen_stays_and_what_is_not_is_escaped(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(st.text(st.characters(), max_size=3 * LONGEST))
def test_whatever_comes_in_goes_out_visible_and_short(text: str) -> None:
    shown = harmless(text)
    assert len(shown) <= LONGEST
    assert not any(unicodedata.category(c).startswith("C") for c in shown)
    shown.encode("utf-8")  # no halves of characters


def test_a_long_text_says_that_it_was_cut() -> None:
    assert harmless("x" * 1000) == "x" * (LONGEST - 3) + "..."
