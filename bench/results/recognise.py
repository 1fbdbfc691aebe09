"""Which kind of file a path is, and the content of those that no other module reads.

A result of ``run`` is read by ``bench.results.run_file``, a folder of them by ``bench.results.collection``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from bench.records.infinities import endless
from bench.records.profile import Profile
from bench.records.regression import REGRESSION_SCHEMA, Comparison, Regression
from bench.results.plausible import DamagedError, check_estimates
from bench.results.profile_file import PROFILE_FILE, read_profile
from mtl_core.errors import UserError, visible
from mtl_core.platform.on_disk import LARGEST_NUMBER, ForeignError, content, json_object

Kind = Literal["profile", "folder", "regression", "run"]
LARGEST_FLAME_GRAPH = 20_000_000  # bytes; what is larger is not read at all
LEAST, MOST = 1e-12, 1e9  # of a ratio, and of seconds
LARGEST_REGRESSION = 20_000_000  # bytes; one has some tens of kB, and a difference that was kept up to 6 MB


def kind_of(path: Path) -> Kind:
    """What a path means: a profile by its file or folder, a folder of results, or a file by its content.

    A file that is nothing else counts as a run's, whose reader says what is wrong with it.
    """
    if is_profile(path):
        return "profile"
    if os.path.isdir(path):  # noqa: PTH112  # the same
        return "folder"
    return "regression" if _regression_document(path) is not None else "run"


def is_profile(path: Path) -> bool:
    """Whether a path means a profile: its file, or a folder that holds one."""
    return path.name == PROFILE_FILE or os.path.isfile(path / PROFILE_FILE)  # noqa: PTH113  # False for any odd name


def read_with_flame_graph(path: Path) -> tuple[Profile, str]:
    """A profile and its flame graph as SVG; an empty one where py-spy could not draw it.

    One that is too large to be read is left out, with a warning in the profile; whether a page has room for
    one is the page's own business. Raises UserError, naming the file, for anything that is no profile.
    """
    folder = path if os.path.isdir(path) else path.parent  # noqa: PTH112  # for any name
    profile = read_profile(path)
    for name in profile.files.get("flame graph", []):
        drawn = folder / Path(name).name  # beside it, wherever the file says
        if not os.path.isfile(drawn):  # noqa: PTH113  # the same
            continue
        try:
            return profile, content(drawn, LARGEST_FLAME_GRAPH, "open it by itself").decode(errors="replace")
        except UserError as error:
            profile = msgspec.structs.replace(profile, warnings=[*profile.warnings, f"{error}"])
    return profile, ""


def read_regression(path: Path) -> Regression:
    """What ``regress --format json`` printed. Raises UserError, naming the file, for anything else."""
    try:
        document = _regression_document(path)
        if document is None:
            raise ValueError("it holds no comparisons")
        schema = document.get("schema")
        if schema != REGRESSION_SCHEMA:
            raise ValueError(f"schema {schema!r}, while this version reads {REGRESSION_SCHEMA}")
        comparisons = [_with_estimate(fields) for fields in document["comparisons"]]
        whole = endless({**document, "comparisons": comparisons})
        regression = msgspec.convert(whole, Regression)
        check_estimates(whole)
        for comparison in regression.comparisons:
            _check_ratios(comparison)
        return regression
    except (ValueError, TypeError, KeyError, AttributeError, DamagedError) as error:
        why = visible(str(error))
        raise UserError(f"{path} is not what regress --format json prints ({why}); compare again") from None


def _check_ratios(comparison: Comparison) -> None:
    """Raise ValueError for a ratio or a time that cannot be; the ends of an interval may be endless."""
    for estimate in (comparison.effect, comparison.sums, comparison.base_s, comparison.head_s):
        if estimate is not None and not LEAST <= estimate.value <= MOST:
            raise ValueError(f"{comparison.benchmark[:40]!r} has a ratio or time of {estimate.value:g}")
    for share in (comparison.tolerance, comparison.spread or 0.0, comparison.detectable or 0.0):
        if not 0.0 <= share <= MOST:
            raise ValueError(f"{comparison.benchmark[:40]!r} has a share of {share:g}")


def _regression_document(path: Path) -> dict[str, Any] | None:
    """The document in the file; None where the file is something else."""
    try:
        document = json_object(content(path, LARGEST_REGRESSION, "give a file"), largest=LARGEST_NUMBER)
    except (UserError, ForeignError):
        return None
    if "comparisons" not in document or "benchmarks" in document:
        return None
    return document


def _with_estimate(fields: dict[str, Any]) -> dict[str, Any]:
    """A comparison with its effect as an Estimate, whose value the file calls ``ratio``."""
    effect = fields.get("effect")
    if not isinstance(effect, dict):
        return fields
    rest = {name: value for name, value in effect.items() if name != "ratio"}
    return {**fields, "effect": {"value": effect["ratio"], **rest}}
