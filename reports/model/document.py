"""A page as a JSON document: base units, None where a number has no end, all of it in ASCII."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from bench.records.infinities import finite
from reports.model.page import Page, Recommendation
from reports.model.tables import Table, laid_out


def document(page: Page) -> str:
    """The record, or what the page says where it has none."""
    content = page.record.content if page.record else _in_words(page)
    return json.dumps(finite(msgspec.to_builtins(dict(content))), indent=2, allow_nan=False)


def _in_words(page: Page) -> Mapping[str, Any]:
    """What stands in every other format; what is drawn is in the tables as well."""
    return {
        "kind": page.kind,
        "title": page.title,
        "verdict": page.verdict,
        **({"recommendation": _recommendation(page.recommendation)} if page.recommendation else {}),
        "answers": {answered.asks: list(answered.sentences) for answered in page.answers},
        "facts": dict(page.facts),
        "warnings": [*page.warnings, *(w for section in page.sections for w in section.warnings)],
        "sections": [
            {
                "title": section.title,
                "sentences": list(section.sentences),
                "tables": [_table(table) for table in section.tables],
            }
            for section in page.sections
        ],
        "method": list(page.method),
        "reproduce": list(page.reproduce),
    }


def _recommendation(advice: Recommendation) -> dict[str, Any]:
    return {"title": advice.title, "sentences": list(advice.sentences), "commands": list(advice.commands)}


def _table(table: Table) -> dict[str, Any]:
    laid = laid_out(table)
    return {
        "title": laid.title,
        "columns": [str(h) for h in laid.headings],
        "rows": [[str(c) for c in row] for row in laid.rows],
    }
