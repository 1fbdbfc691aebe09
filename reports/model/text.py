"""Text from files, made safe to show: a name must not move the cursor, turn a line around or hide.

Pages hold text as it is. ``reports.formats.text`` makes a whole page harmless before a format sees it, so
that neither a page nor a format has to think of it.
"""

from __future__ import annotations

import unicodedata

LONGEST = 200  # characters shown of one text
# Control characters (C0 and C1, with ESC), invisible ones (with all that turn the writing's direction),
# halves of characters, private and unassigned ones, line and paragraph separators.
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def harmless(text: object, longest: int = LONGEST) -> str:
    """The text in one line with whatever is not plainly visible as its escape, cut to ``longest`` characters.

    Markup is the format's business: each escapes what means something to it.
    """
    whole = str(text)
    shown = "".join(_escaped(c) if unicodedata.category(c) in UNSEEN else c for c in whole[:longest])
    return shown if len(whole) <= longest and len(shown) <= longest else shown[: longest - 3] + "..."


def shortened(text: str, longest: int) -> str:
    """Text of at most ``longest`` characters that tells where it was cut."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
