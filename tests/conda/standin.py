"""A small `conda` made of py-rattler: it answers the calls that Snakemake 9 makes, and no other.

    python standin.py FOLDER env create --file envs/analysis.yaml --prefix PREFIX

is what the command that `write_commands(FOLDER, ...)` leaves calls. Environments are solved and
linked by rattler, with strict channel priority, and the `pip:` section is installed by the
environment's own pip. For tests on machines without conda. Needs requirements/conda.txt, but for
dry runs.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

VERSION = "24.7.1"  # the oldest that Snakemake 9 takes
COMMAND = """\
#!/bin/sh
exec '{python}' '{standin}' '{folder}' "$@"
"""
ACTIVATE = """\
export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"
"""


def write_commands(folder: Path, channels: str) -> Path:
    """Write FOLDER/bin/conda and FOLDER/bin/activate; gives FOLDER/bin, which is for the path.

    The channels' names are added to the address `channels`.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (folder / "channels").write_text(channels)
    (programs / "activate").write_text(ACTIVATE)
    command = programs / "conda"
    command.write_text(COMMAND.format(python=sys.executable, standin=__file__, folder=folder))
    command.chmod(0o755)
    return programs


async def link(folder: Path, prefix: Path, channels: list[str], specs: list[str]) -> None:
    """Solve match specs and link what they give into a prefix."""
    from rattler import Platform, VirtualPackage, install, solve

    address = (folder / "channels").read_text().rstrip("/")
    records = await solve(
        sources=[f"{address}/{name}" for name in channels if name != "nodefaults"],
        specs=specs,
        platforms=[Platform.current(), "noarch"],
        virtual_packages=VirtualPackage.detect(),
    )
    await install(records, prefix, cache_dir=folder / "packages", show_progress=False)


def create(folder: Path, file: Path, prefix: Path) -> None:
    """Make the environment of a file."""
    content = yaml.safe_load(file.read_text())
    specs = [one for one in content["dependencies"] if isinstance(one, str)]
    pip = [line for one in content["dependencies"] if isinstance(one, dict) for line in one["pip"]]
    asyncio.run(link(folder, prefix, content["channels"], specs))
    if pip:
        command = [str(prefix / "bin/python"), "-m", "pip", "install", "--quiet", *pip]
        subprocess.run(command, check=True)


def answer(folder: Path, arguments: list[str]) -> int:
    """Answer one call; gives the exit status."""
    match arguments:
        case ["--version"]:
            print(f"conda {VERSION}")
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": str(folder), "platform": "linux-64"}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", *options]:
            parser = argparse.ArgumentParser()
            parser.add_argument("--quiet", action="store_true")
            parser.add_argument("--no-default-packages", action="store_true")
            parser.add_argument("--file", type=Path, required=True)
            parser.add_argument("--prefix", type=Path, required=True)
            given = parser.parse_args(options)
            create(folder, given.file, given.prefix)
        case ["clean", *_]:
            pass  # the linked files are the packages' own: nothing is left to remove
        case _:
            print(f"conda {' '.join(arguments)} is no call that is known here.", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        status = answer(Path(sys.argv[1]), sys.argv[2:])
    except subprocess.CalledProcessError as error:
        status = error.returncode
    except Exception as error:  # a line for Snakemake to show
        print(f"conda: {error}", file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # py-rattler 0.28 now and then ends in a segmentation fault otherwise
