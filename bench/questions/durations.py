"""Times as a user writes them."""

from __future__ import annotations

import re

from mtl_core.errors import UserError

LONGEST_S = 1e7  # four months: what is longer is a slip
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str, option: str = "--budget") -> float:
    """Seconds from ``90s``, ``5m`` or ``1h``, four months at most. Raises UserError for anything else."""
    if not isinstance(text, str):  # from Python anything may come
        raise UserError(f"{option} is {text!r:.40}; expected a time as a str, such as '90s', '5m' or '1h'")
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", text.strip())
    if not match or not 0 < float(match[1]) * _UNITS[match[2]] <= LONGEST_S:
        near = _nearest_duration(text)
        meant = f"; did you mean {near}?" if near else ""
        raise UserError(f"{option} is {text[:40]!r}; expected a time above zero such as 90s, 5m or 1h{meant}")
    return float(match[1]) * _UNITS[match[2]]


def _nearest_duration(text: str) -> str | None:
    """What ``90``, ``5M``, ``5 minutes`` or ``1h30m`` may stand for; None where it is anyone's guess."""
    written, one = text.strip().lower(), r"(\d+(?:\.\d+)?)\s*([smh])(?:ec(?:ond)?s?|in(?:ute)?s?|(?:ou)?rs?)?"
    if re.fullmatch(r"\d+(?:\.\d+)?", written):
        written += "s"
    if not re.fullmatch(rf"(?:{one}\s*)+", written):
        return None
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(one, written))
    unit = next((unit for unit in "hm" if seconds % _UNITS[unit] == 0), "s")
    return f"{seconds / _UNITS[unit]:.12g}{unit}" if 0 < seconds <= LONGEST_S else None
