"""Words that stopped readers stay out of what is printed and of the documents; ratios have one direction."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for room in ("bench", "mtl_core", "reports") for path in (ROOT / room).rglob("*.py"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
AVOIDED = {
    "a ratio of speeds among those of time": r"\dx?\)? as fast|\} as fast|times as fast|first speed",
    "where something lies that is nowhere": r"does not lie",
    "not deciding said of things, not of a run": r"not told apart",
    "what nobody looked for": r"no price was found|price was found",
    "belief": r"can be believed",
    "a thing held against itself": r"the time of itself",
    "a unit as nobody writes it": r"(\d|\}) us\b",
}


def said_in(source: str) -> Iterator[str]:
    """The texts of a module, those of f-strings with braces where something is filled in; no docstrings."""
    tree = ast.parse(source)
    within = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and id(node) not in within | alone:
            yield str(node.value)


def avoided_in(texts: list[str], words: str) -> list[str]:
    return [text for text in texts if re.search(words, " ".join(text.split()), re.IGNORECASE)]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    printed = [text for path in SOURCES for text in said_in(path.read_text(encoding="utf-8"))]
    return [*printed, *(path.read_text(encoding="utf-8") for path in DOCUMENTS)]


@pytest.mark.parametrize("words", AVOIDED.values(), ids=AVOIDED)
def test_words_that_stopped_readers_are_not_used(texts: list[str], words: str) -> None:
    assert [text[:200] for text in avoided_in(texts, words)] == []


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("print(f'the step is {ratio} as fast')", AVOIDED["a ratio of speeds among those of time"]),
        ("x = 'MNIST does ' \n'not lie here'\ny = 'MNIST does not '\\\n'lie here'", "does not lie"),
        ("print(f'{time:.0f} us')", AVOIDED["a unit as nobody writes it"]),
    ],
)
def test_they_would_be_seen(module: str, words: str) -> None:
    assert avoided_in(list(said_in(module)), words)


def test_the_direction_of_ratios_is_said_where_readers_begin() -> None:
    for document in ("README.md", "docs/measuring.md"):
        told = " ".join((ROOT / document).read_text(encoding="utf-8").split())
        assert "ratio" in told and "below 1 is faster" in told, document
