"""Ask Snakemake what it would run."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline_lib.errors import InputError
from pipeline_lib.why.plan import Job, read_plan

ROOT = Path(__file__).resolve().parents[2]
# Lines of Snakemake's output that are no part of an error's sentence.
_NOISE = ("Assuming ", "Using ", "Building DAG", 'File "')
_TITLE = re.compile(r"\w+(?:Error|Exception)\b.*:")
MOST_LINES = 12


def find_snakemake() -> str:
    """Give the program that `make` put into `.venv/driver`, or the one on the path.

    Raises
    ------
    InputError
        If there is neither.
    """
    made_by_make = ROOT / ".venv/driver/bin/snakemake"
    program = str(made_by_make) if made_by_make.exists() else shutil.which("snakemake")
    if program is None:
        raise InputError("Snakemake isn't installed; run `make setup` once.")
    return program


def ask(target: str, folder: Path, options: Sequence[str] = ()) -> list[Job]:
    """Give the jobs that Snakemake would run for a target, without running any.

    Parameters
    ----------
    target
        A file below `folder`, or a rule.
    folder
        Where the workflow runs: the folder that holds `results/`.
    options
        Of Snakemake's command line, such as `--configfile`.

    Raises
    ------
    InputError
        If Snakemake refuses the configuration or the target, with what it says.
    """
    if not (ROOT / "Snakefile").is_file():
        raise InputError(
            f"{ROOT} holds no Snakefile; install the command from the project's folder "
            "(`make setup`)."
        )
    # The target comes first: --configfile takes all that follows for files.
    command = [find_snakemake(), "--snakefile", str(ROOT / "Snakefile"), target]
    command += ["--directory", str(folder), "--cores", "1", "--dry-run", "--printshellcmds"]
    done = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    if done.returncode != 0:
        raise InputError(f"Snakemake can't plan {target}: {_said(done.stdout + done.stderr)}")
    try:
        return read_plan(done.stdout + done.stderr)
    except ValueError as error:
        raise InputError(
            f"Snakemake's dry run reads in another way than that of Snakemake 9.27 ({error}); "
            "install the version in requirements/driver.txt."
        ) from None


def _said(text: str) -> str:
    """Give the sentences of an error, without the lines about files and versions around them."""
    lines = [line.strip() for line in text.splitlines()]
    titles = [index for index, line in enumerate(lines) if _TITLE.fullmatch(line)]
    told = lines[titles[0] + 1 if titles else 0 :]
    kept = dict.fromkeys(line for line in told if line and not line.startswith(_NOISE))
    return " ".join(list(kept)[:MOST_LINES]) or "it gives no reason."
