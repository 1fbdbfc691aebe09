"""Makes the pictures of a report that the README shows, from a real result file.

    python docs/studies/screenshots.py RUN.json [--to docs/images]

Needs Chromium and the extra ``test``. Writes the page in light, dark and on a phone, its print, the
terminal at 80 columns and the Markdown, each as a PNG of at most 256 colours.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from markdown_it import MarkdownIt  # Rich brings it
from PIL import Image
from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

from bench.commands.report import page_of
from reports.formats import text as page_as
from reports.model.page import Page
from reports.model.screen import Screen

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE = (1280, 1500), (360, 780)
FRAME = """<!doctype html><meta charset="utf-8"><style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1f2328; background: #fff; margin: 1.5rem }}
body > svg {{ width: 980px; height: auto }} table {{ border-collapse: collapse }}
th, td {{ border: 1px solid #d0d7de; padding: 4px 12px }} pre {{ background: #f6f8fa; padding: 1rem }}
blockquote {{ color: #59636e; border-left: 4px solid #d0d7de; margin: 0; padding-left: 1rem }}</style>
{}"""


def main() -> None:
    """Every picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--to", type=Path, default=Path("docs/images"), help="folder (default: %(default)s)")
    told = parser.parse_args()
    told.to.mkdir(parents=True, exist_ok=True)
    page = page_of(told.run)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        browser = driver.chromium.launch(
            executable_path=next(filter(None, map(shutil.which, NAMES)), None),
            args=["--no-sandbox"] if root else [],
        )
        files = written(page, Path(folder))
        for name, picture in pictures(browser, files).items():
            small(picture, told.to / f"report-{name}.png")
            print(
                told.to / f"report-{name}.png", (told.to / f"report-{name}.png").stat().st_size // 1000, "kB"
            )
        browser.close()
    facts = dict(page.facts)
    print(
        "Measured", *(facts[name] for name in ("Measured", "Processor", "Cores") if name in facts), sep=", "
    )


def written(page: Page, folder: Path) -> dict[str, str]:
    """The page, the terminal's report and the Markdown as files that the browser opens."""
    console = Console(
        record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.from_ansi(page_as(page, "terminal", Screen(80, colours="truecolor"))))
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(page_as(page, "markdown"))
    texts = {
        "page": page_as(page, "html"),
        "terminal": FRAME.format(
            console.export_svg(title="python -m bench report run.json --format terminal")
        ),
        "markdown": FRAME.format(rendered),
    }
    found = {}
    for name, text in texts.items():
        file = folder / f"{name}.html"
        file.write_text(text, encoding="utf-8")
        found[name] = file.as_uri()
    return found


def pictures(browser: Any, files: dict[str, str]) -> dict[str, bytes]:
    """Each as PNG: the first screens, and one of the plots."""
    found = {
        "light": shot(browser, files["page"], WIDE),
        "dark": shot(browser, files["page"], WIDE, scheme="dark"),
        "plots": shot(browser, files["page"], WIDE, at="#section-3"),
        "plots-dark": shot(browser, files["page"], WIDE, at="#section-1", scheme="dark"),
        "phone": shot(browser, files["page"], PHONE, scale=2),
        "phone-plots": shot(browser, files["page"], PHONE, at="#section-1", scale=2),
        "print": shot(browser, files["page"], (794, 1123), media="print"),
        "terminal": shot(browser, files["terminal"], (1028, 1500)),
        "markdown": shot(browser, files["markdown"], (900, 1100)),
    }
    return found


def shot(
    browser: Any,
    url: str,
    size: tuple[int, int],
    *,
    at: str = "",
    scheme: str = "light",
    media: str = "screen",
    scale: int = 1,
) -> bytes:
    """What a reader with this window sees of the page, scrolled to ``at``."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, device_scale_factor=scale
    )
    page = context.new_page()
    page.emulate_media(media=media, color_scheme=scheme)
    page.goto(url)
    if url.endswith("page.html"):
        page.wait_for_selector("html[data-plots=drawn]")
    if at:
        page.evaluate(f"document.querySelector('{at}').scrollIntoView({{behavior: 'instant'}})")
    picture: bytes = page.screenshot()
    context.close()
    return picture


def small(picture: bytes, target: Path) -> None:
    """The picture in at most 256 colours, which text and plots need no more of."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(colors=256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        target, optimize=True
    )


if __name__ == "__main__":
    main()
