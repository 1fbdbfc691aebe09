"""A worker's answers are checked before they are believed."""

from __future__ import annotations

import pytest

from bench.worker.answers import checked


def test_a_set_up_is_built_or_refused_with_a_reason() -> None:
    built = b'{"images": 128, "set_up_ns": 5, "first_call_ns": null}'
    assert checked("set_up", built)["images"] == 128
    refused = b'{"refused": "not the same work: outputs differ by 0.2"}'
    assert checked("set_up", refused)["refused"].startswith("not the same work")


@pytest.mark.parametrize("line", [b'{"refused": 1}', b'{"refused": "why", "images": 1}', b"{}", b"[]", b"5"])
def test_anything_else_is_no_answer(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        checked("set_up", line)
