"""``python -m bench peers``: the environments of other frameworks, listed, made, removed."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

import typer

from bench.harness.peers import folder_of, install, python_of, remove
from bench.questions.peers import PEERS, Peer, install_command
from mtl_core.errors import UserError


def peers(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME ...]", help="For --install; without, those for the processor."),
    ] = None,
    install_them: Annotated[
        bool, typer.Option("--install", help="Make what is not there; the size is told before.")
    ] = False,
    remove_them: Annotated[bool, typer.Option("--remove", help="Remove all of them.")] = False,
    list_them: Annotated[bool, typer.Option("--list", help="What is there; this without an option.")] = False,
) -> None:
    """The frameworks that the question 'peers' holds MXNet against: an environment each, outside this one.

    Examples:

      python -m bench peers

      python -m bench peers --install

      python -m bench peers --install torch-cuda

      python -m bench peers --remove
    """
    if install_them + remove_them + list_them > 1:
        raise UserError("--install, --remove and --list: give one of them")
    if names and not install_them:
        raise UserError(f"{names[0]}: names go with --install; --remove removes all")
    if install_them:
        for peer in _chosen(names or []):
            typer.echo(f"{peer.name}: {install(peer, typer.echo).parents[1]}")
    elif remove_them:
        folders = remove(typer.echo)
        typer.echo("\n".join(f"removed {folder}" for folder in folders) or "nothing was there")
    else:
        typer.echo("\n".join(_line(peer) for peer in PEERS.values()))


def _chosen(names: list[str]) -> list[Peer]:
    for name in names:
        if name not in PEERS:
            near = difflib.get_close_matches(name, PEERS, n=1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise UserError(f"no peer is named {name!r}; {meant}expected one of {', '.join(PEERS)}")
    return [PEERS[name] for name in names] or [peer for peer in PEERS.values() if not peer.gpu]


def _line(peer: Peer) -> str:
    what = f"{peer.name:11} {peer.plain} {peer.version}"
    if python_of(peer) is None:
        return f"{what}: not installed ({peer.size}): {install_command(peer.name)}"
    folder = folder_of(peer)
    return f"{what}: {_size(folder) / 1e9:.1f} GB in {folder}"


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())
