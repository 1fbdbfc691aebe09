"""The ``gpu`` extra brings every CUDA library that MXNet's GPU build links to.

The tests marked gpu_wheels need the extra installed, 2 GB, and no GPU: ``nox -s gpu_wheels`` runs them.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_core.platform.cuda_libraries import CUDA_LIBRARIES, load_cuda_libraries, nvidia_library_folders

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it where Python does not

ROOT = Path(__file__).parent.parent
FROM_THE_DRIVER = {"libcuda.so.1"}
# glibc, GCC's runtime and zlib: what every Linux wheel may expect, and MXNet's CPU wheel needs as well.
FROM_THE_SYSTEM = re.compile(
    r"(ld-linux-\S+|lib(c|dl|m|pthread|rt|gcc_s|gomp|quadmath|stdc\+\+|z))\.so\.\d+", re.ASCII
)


def needed(library: Path) -> set[str]:
    """The libraries that the dynamic section of a shared library asks for."""
    from elftools.elf.elffile import ELFFile

    with library.open("rb") as file:
        dynamic = ELFFile(file).get_section_by_name(".dynamic")
        return {tag.needed for tag in dynamic.iter_tags("DT_NEEDED")}


def not_from_the_system(names: set[str]) -> set[str]:
    return {name for name in names if not FROM_THE_SYSTEM.fullmatch(name)} - FROM_THE_DRIVER


@pytest.fixture(scope="module")
def mxnet_folder() -> Path:
    """Where the GPU build of MXNet lies, without importing it: that needs a driver."""
    try:
        distribution = importlib.metadata.distribution("mxnet-cu112")
    except importlib.metadata.PackageNotFoundError:
        pytest.fail('the GPU build is not installed; run "nox -s gpu_wheels"')
    return Path(str(distribution.locate_file("mxnet")))


def test_the_gpu_extra_names_each_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {re.split(r"[^\w-]", wanted)[0] for wanted in project["optional-dependencies"]["gpu"]}
    assert extra == {"mxnet-cu112", *CUDA_LIBRARIES.values()}


@pytest.mark.parametrize("by_hand", [None, "FASTEST_FIRST"])
def test_cuda_numbers_gpus_as_the_driver_does_unless_told(
    monkeypatch: pytest.MonkeyPatch, by_hand: str | None
) -> None:
    monkeypatch.setenv("CUDA_DEVICE_ORDER", by_hand or "")
    if by_hand is None:
        monkeypatch.delenv("CUDA_DEVICE_ORDER")
    load_cuda_libraries()
    assert os.environ["CUDA_DEVICE_ORDER"] == (by_hand or "PCI_BUS_ID")


@pytest.mark.gpu_wheels
def test_mxnet_links_to_exactly_the_libraries_named(mxnet_folder: Path) -> None:
    bundled = {path.name for path in mxnet_folder.glob("*.so*")}
    wanted = {name for library in mxnet_folder.glob("*.so*") for name in needed(library)}
    assert not_from_the_system(wanted) - bundled == set(CUDA_LIBRARIES)


@pytest.mark.gpu_wheels
@pytest.mark.parametrize(("library", "wheel"), CUDA_LIBRARIES.items())
def test_each_library_is_in_the_wheel_named(library: str, wheel: str) -> None:
    distribution = importlib.metadata.distribution(wheel)
    found = [file for file in distribution.files or () if file.name == library]
    print(f"{library}: {wheel} {distribution.version}")
    assert len(found) == 1
    assert Path(str(found[0].locate())).parent in nvidia_library_folders()


@pytest.mark.gpu_wheels
def test_what_the_libraries_need_themselves_is_there_too() -> None:
    there = [path for folder in nvidia_library_folders() for path in folder.glob("*.so*")]
    wanted = {name for library in there for name in needed(library)}
    assert there
    assert not_from_the_system(wanted) - {path.name for path in there} == set()


@pytest.mark.gpu_wheels
def test_all_of_them_load_without_a_gpu() -> None:
    code = (
        "from mtl_core.platform.cuda_libraries import load_cuda_libraries as load; "
        "print(*(p.name for p in load()))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert loaded.stdout.split() == list(CUDA_LIBRARIES)
