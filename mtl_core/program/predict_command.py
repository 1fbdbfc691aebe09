"""``python -m mtl_core predict``: ask a trained network about one image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtl_core.data.dataset import Bytes, Dataset
from mtl_core.errors import UserError
from mtl_core.program.choice import Data, chosen
from mtl_core.program.files import check_place, write_whole


def predict(
    checkpoint: Annotated[Path, typer.Option(help="Written by train --checkpoint.")],
    index: Annotated[int | None, typer.Option(help="Number of a test image, from 0.  [default: 0]")] = None,
    image: Annotated[Path | None, typer.Option(help="Any image file of one digit.")] = None,
    data: Annotated[Data, typer.Option(help="Whose test images --index counts.")] = "auto",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of MNIST's four .gz files; else $MTL_DATA_DIR.")
    ] = None,
    save_plot: Annotated[Path | None, typer.Option(help="PNG to draw picture and probabilities in.")] = None,
) -> None:
    """Ask a trained network which digit it is, and whether it is odd.

    \b
    Examples:
      python -m mtl_core predict --checkpoint run.npz --index 7
      python -m mtl_core predict --checkpoint run.npz --image seven.jpg
      python -m mtl_core predict --checkpoint run.npz --save-plot seven.png
    """
    from mtl_core.program import picture
    from mtl_core.program.predict import load_network
    from mtl_core.program.predict import predict as ask

    if index is not None and image is not None:
        raise UserError("--index and --image are two images: give one")
    if save_plot is not None:
        check_place(save_plot, "--save-plot")
    step = load_network(checkpoint)
    if image is not None:
        pixels, did = picture.from_file(image)
        typer.echo(f"{image}: {', '.join(did)}")
    else:
        pixels = _test_image(chosen(data, data_dir), index or 0)
    answer = ask(step, pixels)
    _show(pixels)
    odd = "odd" if answer.odd > 0.5 else "even"
    certain = max(answer.odd, 1 - answer.odd)
    typer.echo(f"digit {answer.digit} ({answer.digits[answer.digit]:.1%}), {odd} ({certain:.1%})")
    for digit, probability in enumerate(answer.digits):
        typer.echo(f"  {digit} {probability:6.1%} {'#' * round(40 * probability)}".rstrip())
    if save_plot:
        drawn = picture.plot(pixels, answer.digits, answer.odd)
        write_whole(save_plot, lambda file: file.write(drawn), "--save-plot")
        typer.echo(f"plot: {save_plot}")


def _show(image: Bytes) -> None:
    """28 columns: half blocks in shades of grey, plain characters where there is no colour."""
    from rich.console import Console
    from rich.text import Text

    from mtl_core.program.picture import as_text, half_blocks

    console = Console(highlight=False)
    if not console.is_terminal or console.no_color or not console.encoding.startswith("utf"):
        typer.echo(as_text(image))
        return
    for line in half_blocks(image):
        console.print(Text.assemble(*(("\u2580", f"{above} on {below}") for above, below in line)))


def _test_image(dataset: Dataset, index: int) -> Bytes:
    count = len(dataset.test.labels)
    if not 0 <= index < count:
        raise UserError(f"index is {index}; expected 0 to {count - 1}, the test images of {dataset.name}")
    if dataset.note:
        typer.echo(dataset.note, err=True)
    typer.echo(f"test image {index} of {dataset.name}, labelled {dataset.test.labels[index]}")
    image: Bytes = dataset.test.images[index]
    return image
