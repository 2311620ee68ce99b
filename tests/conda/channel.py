"""Make a small conda channel of this Python and of wheels from the package index.

    python -m tests.conda.channel CHANNEL ENVIRONMENT...

For every wheel that pip resolves for the conda packages of the environments, at their pins, the
channel holds a package of the kind `noarch: python` with the wheel's requirements as its own. Its
`python` is two links and a `pyvenv.cfg`, which make a prefix a virtual environment of the Python
that runs this. Names, versions, pins and the pip section are thus resolved for real; the binaries
are wheels. Needs requirements/conda.txt.
"""

import argparse
import asyncio
import hashlib
import io
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from conda_package_streaming.create import conda_builder
from packaging.requirements import Requirement
from rattler import Platform
from rattler.index import index_fs

from tests.conda.environments import ROOT, as_requirement, conda_name, conda_specs

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# Where the parts of a wheel's NAME.data folder go in a package of the kind `noarch: python`.
DATA = {"purelib": "site-packages/", "platlib": "site-packages/", "data": ""}


def write_package(
    folder: Path,
    index: Mapping[str, object],
    files: dict[str, tuple[bytes, int]],
    links: dict[str, str],
    info: Mapping[str, object],
) -> None:
    """Write NAME-VERSION-0.conda.

    Parameters
    ----------
    folder
        The channel's part for the platform, such as CHANNEL/noarch.
    index
        Name, version, depends and so on, without build and subdir.
    files, links
        Path in the package -> (content, mode), and -> target.
    info
        Further files of the info folder, as JSON.
    """
    fixed = {"build": "0", "build_number": 0, "subdir": folder.name, "timestamp": 0}
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": hashlib.sha256(content).hexdigest(),
         "size_in_bytes": len(content)}
        for path, (content, _) in files.items()
    ]  # fmt: skip
    paths += [{"_path": path, "path_type": "softlink"} for path in links]
    info = {
        "index.json": {**index, **fixed},
        "paths.json": {"paths": paths, "paths_version": 1},
        **info,
    }
    members = {f"info/{name}": (json.dumps(part).encode(), 0o644) for name, part in info.items()}
    stem = f"{index['name']}-{index['version']}-0"
    with conda_builder(stem, folder, compression_level=1) as archive:
        for path, (content, mode) in {**members, **files}.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)


def write_python(folder: Path) -> None:
    """Write the package `python`: a virtual environment of the Python that runs this."""
    base = Path(sys.base_prefix) / "bin"
    settings = f"home = {base}\ninclude-system-site-packages = false\n"
    links = dict.fromkeys(("bin/python3", f"bin/python{VERSION}"), "python")
    links["bin/python"] = str((base / f"python{VERSION}").resolve())
    index = {"name": "python", "version": platform.python_version(), "depends": []}
    write_package(folder, index, {"pyvenv.cfg": (settings.encode(), 0o644)}, links, {})


def depends_of(wheel: Distribution) -> list[str]:
    """Give a wheel's requirements that hold here, as match specs."""
    requirements = [Requirement(text) for text in wheel.requires or []]
    return [f"python {VERSION}.*"] + [
        f"{conda_name(one.name)} {one.specifier}".strip()
        for one in requirements
        if one.marker is None or one.marker.evaluate({"extra": ""})
    ]


def contents_of(wheel: Path) -> dict[str, tuple[bytes, int]]:
    """Give the files of a wheel as a package of the kind `noarch: python` holds them."""
    files = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            top, _, rest = entry.filename.partition("/")
            target = f"site-packages/{entry.filename}"
            if top.endswith(".data"):
                kind, _, rest = rest.partition("/")
                target = f"{DATA.get(kind, '')}{rest}" if kind in DATA else ""
            if target and not entry.is_dir():
                mode = 0o755 if (entry.external_attr >> 16) & 0o111 else 0o644
                files[target] = (archive.read(entry), mode)
    return files


def write_wheel(folder: Path, wheel: Path) -> str:
    """Write the package of a wheel; gives its name."""
    held = next(iter(distributions(path=[str(wheel)])))
    scripts = [
        f"{one.name} = {one.value}" for one in held.entry_points.select(group="console_scripts")
    ]
    name = conda_name(held.metadata["Name"])
    index = {
        "name": name,
        "version": held.version.partition("+")[0],
        "depends": depends_of(held),
        "noarch": "python",
    }
    link = {"noarch": {"type": "python", "entry_points": scripts}, "package_metadata_version": 1}
    write_package(folder, index, contents_of(wheel), {}, {"link.json": link})
    return name


def download(environments: list[str], folder: Path) -> list[Path]:
    """Download the wheels of the conda packages of environments, with all that they need."""
    specs = {spec for name in environments for spec in conda_specs(name)}
    wanted = [as_requirement(spec) for spec in sorted(specs) if not spec.startswith("python ")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    command += ["--dest", str(folder), "--constraint", str(ROOT / "requirements/stages.txt")]
    subprocess.run([*command, *wanted], check=True)
    return sorted(folder.glob("*.whl"))


def make_channel(channel: Path, environments: list[str]) -> dict[str, float]:
    """Write a channel that holds all conda packages of some environments; gives their number and
    the size of their wheels in bytes."""
    folders = {name: channel / name for name in (str(Platform.current()), "noarch")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    write_python(folders[str(Platform.current())])
    with tempfile.TemporaryDirectory() as temporary:
        wheels = download(environments, Path(temporary))
        size = sum(wheel.stat().st_size for wheel in wheels)
        for wheel in wheels:
            write_wheel(folders["noarch"], wheel)
    asyncio.run(index_fs(channel))
    return {"packages": len(wheels) + 1, "bytes": size}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channel", type=Path)
    parser.add_argument("environments", nargs="+")
    arguments = parser.parse_args()
    print(json.dumps(make_channel(arguments.channel, arguments.environments)), flush=True)
    os._exit(0)  # py-rattler 0.28 now and then ends in a segmentation fault otherwise
