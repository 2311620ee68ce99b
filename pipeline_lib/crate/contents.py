"""What a crate tells of a results folder, and which files it holds."""

import io
import json
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline_lib.crate.readme import readme
from pipeline_lib.errors import InputError
from pipeline_lib.runs import Job, read_jobs, read_runs

ROOT = Path(__file__).parents[2]
CODE = ("Snakefile", "workflow", "LICENSE")
CONFIGURATION = "configuration.json"
RUNS = "runs.json"
README = "README.md"
# Never results of the workflow: what it keeps to go on from, and what it said.
NO_RESULTS = ("benchmarks", "checkpoints", "logs", "runs")


@dataclass(frozen=True)
class Contents:
    """A results folder as a crate shows it.

    Attributes
    ----------
    runs
        Records of all runs, the oldest first, without their configurations; see `runs`.
    jobs
        Jobs of all runs.
    configuration
        The resolved configuration of the last run.
    results
        Paths of the results in their folder: files, and the folders of the stages.
    files
        Path in the crate -> its content, or the file to copy.
    commit
        Of the workflow's files; `None` where they are those of the folder of the code.
    """

    folder: Path
    runs: tuple[Mapping[str, Any], ...]
    jobs: tuple[Job, ...]
    configuration: Mapping[str, Any]
    results: tuple[str, ...]
    files: Mapping[str, bytes | Path]
    commit: str | None

    @property
    def stages(self) -> tuple[str, ...]:
        """Rules that made something, in the order in which they first did."""
        return tuple(dict.fromkeys(job.rule for job in self.jobs))

    def jobs_of(self, started: str) -> tuple[Job, ...]:
        """Jobs of the run that started then."""
        return tuple(job for job in self.jobs if job.run == started)

    @classmethod
    def read(cls, results: Path, copied: Iterable[str], keep_paths: bool) -> "Contents":
        """Read a results folder.

        Parameters
        ----------
        results
            The folder.
        copied
            Globs of what of it lies in the crate.
        keep_paths
            Whether the configuration keeps its absolute paths.

        Raises
        ------
        InputError
            If nothing of a run was recorded in it.
        """
        runs, jobs = read_runs(results), read_jobs(results)
        runs = [run for run in runs if "started" in run]
        if not runs or not jobs:
            raise InputError(
                f"{results} tells of no run that made anything (run.json, jobs.csv): run the "
                "workflow in it once more."
            )
        configuration = runs[-1]["configuration"]
        if not keep_paths:
            configuration = _without_paths(configuration)
        runs = [
            {name: value for name, value in run.items() if name != "configuration"} for run in runs
        ]
        commit = runs[-1].get("commit")
        code, commit = workflow_code(ROOT, commit)
        files: dict[str, bytes | Path] = {
            **code,
            CONFIGURATION: _as_json(configuration),
            RUNS: _as_json(runs),
            README: readme(runs, jobs).encode(),
        }
        for glob in copied:
            found = sorted(path for path in results.glob(glob) if path.is_file())
            names = {path.relative_to(results).as_posix(): path for path in found}
            # What a killed job left behind, and Snakemake's own marks, are hidden.
            files |= {
                f"results/{name}": path for name, path in names.items() if "/." not in f"/{name}"
            }
        return cls(
            folder=results,
            runs=tuple(runs),
            jobs=tuple(jobs),
            configuration=configuration,
            results=tuple(_results_in(results)),
            files=files,
            commit=commit,
        )


def workflow_code(root: Path, commit: str | None) -> tuple[dict[str, bytes | Path], str | None]:
    """Give the workflow's files as the commit of the run has them, and that commit.

    Where git does not know it any more, they are those that lie there now, and of no commit.
    """
    archive = _archive(root, commit) if commit else b""
    if archive:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            members = [(member.name, files.extractfile(member)) for member in files.getmembers()]
            return {name: file.read() for name, file in members if file is not None}, commit
    found = [path for name in CODE for path in [root / name, *sorted((root / name).rglob("*"))]]
    files_now = (path for path in found if path.is_file() and path.suffix != ".pyc")
    code: dict[str, bytes | Path] = {path.relative_to(root).as_posix(): path for path in files_now}
    if "Snakefile" not in code:
        raise InputError(f"{root} holds no Snakefile: run recontrast in the folder of its code.")
    return code, None


def _archive(root: Path, commit: str) -> bytes:
    """Give the workflow's files at a commit as a tar file; empty where git does not know it."""
    command = ["git", "-C", str(root), "archive", commit, *CODE]
    try:
        return subprocess.run(command, capture_output=True, check=False).stdout
    except OSError:  # no git on this machine
        return b""


def _results_in(folder: Path) -> Iterable[str]:
    """Name the files of the evaluation, and of every other stage its folder alone."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in NO_RESULTS:
            continue
        if path.name == "evaluation":
            yield from (f"evaluation/{each.name}" for each in sorted(path.iterdir()))
        elif path.is_dir() or path.suffix == ".html":
            yield path.name


def _without_paths(value: Any) -> Any:
    """Shorten absolute paths to their last part, in whatever the configuration holds."""
    if isinstance(value, Mapping):
        return {name: _without_paths(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_paths(each) for each in value]
    if isinstance(value, str) and value.startswith(("/", "~")):
        return f".../{Path(value).name}"
    return value


def _as_json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
