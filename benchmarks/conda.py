"""Seconds and disk that environments by conda take, and the tiny workflow in them.

    .venv/stages/bin/pip install --requirement requirements/conda.txt
    .venv/stages/bin/python -m benchmarks.conda --output benchmarks/results/DATE-conda.md

What tests/conda/test_environments.py asserts, measured: a channel of wheels from the package
index, a stand-in for conda made of py-rattler, the environments of envs/, the imports of every
stage in its own, and the tiny workflow of the tests with `--use-conda`.
"""

import argparse
import re
import tempfile
from importlib.metadata import version
from pathlib import Path

from benchmarks.machine import describe
from tests.conda.environments import FILES
from tests.conda.rehearsal import REPORT, Rehearsal, seconds_to_make


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if not path.is_symlink())


def distributions_in(prefix: Path) -> tuple[int, int]:
    """Count the packages that conda linked into a prefix, and those that pip added."""
    by_conda = len(list((prefix / "conda-meta").glob("*.json")))
    python = len(list(prefix.glob("lib/python*/site-packages/*.dist-info")))
    return by_conda, python - (by_conda - 1)  # Python itself is no distribution


def row_of(rehearsal: Rehearsal, environment: str, prefix: Path) -> str:
    """Import the stages of an environment; gives its row of the table."""
    stages = rehearsal.import_stages(environment, prefix)
    by_conda, by_pip = distributions_in(prefix)
    return (
        f"| {environment} | {by_conda} | {by_pip} | {size_of(prefix) / 1e6:.0f} "
        f"| {seconds_to_make(prefix):.1f} | {len(stages)} "
        f"| {rehearsal.seconds[f'import {environment}']:.1f} |"
    )


def measure(folder: Path) -> str:
    """Make everything in an empty folder; gives the page."""
    rehearsal = Rehearsal(folder, tuple(FILES))
    rehearsal.prepare()
    only = ("--use-conda", "--conda-create-envs-only")
    prefixes = rehearsal.prefixes(rehearsal.snakemake(REPORT, *only, name="make"))
    rows = [row_of(rehearsal, name, prefix) for name, prefix in prefixes.items()]
    said = rehearsal.snakemake(REPORT, "--use-conda", name="with")
    again = rehearsal.snakemake(REPORT, "--use-conda", "-n", name="again")
    jobs = len(re.findall(r"^(?:local)?rule \w+:", said, re.MULTILINE))
    activated = said.count("Activating conda environment")
    seconds, channel = rehearsal.seconds, rehearsal.channel
    return "\n".join(
        [
            "# Environments by conda",
            "",
            f"`python -m benchmarks.conda`: {channel['packages']:.0f} packages in a local channel, "
            f"of {channel['bytes'] / 1e6:.0f} MB of wheels, downloaded and packed in "
            f"{seconds['channel']:.0f} s; all {len(prefixes)} environments from it in "
            f"{seconds['make']:.0f} s.",
            "",
            f"Machine: {describe()}",
            "",
            "| envs/ | packages by conda | by pip | MB | s to make | stages | s to import them |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            "| the tiny workflow of the tests | s |",
            "|---|---|",
            f"| with `--use-conda`, {jobs} jobs, {activated} of them in an environment of envs/ "
            f"| {seconds['with']:.0f} |",
            f"| again with `--use-conda -n`: {_answer(again)} | {seconds['again']:.1f} |",
            "",
            f"conda was a stand-in made of py-rattler {version('py-rattler')}; conda itself, and "
            "the packages of conda-forge, were not tried.",
            "",
        ]
    )


def _answer(said: str) -> str:
    return "nothing to be done" if "Nothing to be done" in said else "jobs are left to do"


def main() -> None:
    """Measure, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = measure(Path(folder))
    print(page)
    if arguments.output:
        arguments.output.write_text(page)


if __name__ == "__main__":
    main()
