"""Who made a results folder, when, at what cost; standard library only, the Snakefile imports it.

`run.json` tells of the last run: its settings, code, versions, machine, start and end. When the
next one starts it moves to `runs/`. `jobs.csv` gets a line for every job that ended well, in
whichever run; no line is ever taken away, so that what was made twice is told twice.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json, write_json, written_whole

RUN, RUNS, JOBS, BENCHMARKS = "run.json", "runs", "jobs.csv", "benchmarks"


@dataclass(frozen=True)
class Job:
    """One job that ended well.

    Attributes
    ----------
    run
        When the run started that it belongs to (ISO 8601, UTC).
    rule, job
        Its rule, and its patient, fold, ... as its benchmark file is named; empty for a rule of
        one job.
    code
        `stage@digest` of what it ran; empty where the run did not record it.
    started, ended
        ISO 8601, UTC.
    seconds, cpu_seconds
        Wall-clock time, and processor time of all its cores together. The latter and the memory
        are `None` where the job was over before it was measured.
    memory_mb
        Largest resident set.
    cores, gpus
        What was reserved for it.
    """

    run: str
    rule: str
    job: str
    code: str
    started: str
    ended: str
    seconds: float
    cpu_seconds: float | None
    memory_mb: float | None
    cores: int
    gpus: int


def start_run(results: Path, facts: Mapping[str, Any]) -> None:
    """Keep the record of the last run and begin that of a new one.

    Parameters
    ----------
    results
        The results folder; made if it is not there.
    facts
        What is known of the run: configuration, commit, versions, machine, and under `rules` what
        `allotted` finds there.

    Raises
    ------
    InputError
        If the record of the last run is damaged.
    StorageError
        If the disk is full or may not be written.
    """
    last = results / RUN
    if last.is_file():
        run = read_json(last)
        if "started" not in run:  # of a version that recorded less
            run["started"] = _iso(last.stat().st_mtime)
        if "ended" not in run:
            run["outcome"] = "interrupted"
            _add_jobs(results, run)
        write_json(results / RUNS / f"{run['started'].replace(':', '')}.json", run)
    write_json(last, {**facts, "started": _iso(datetime.now(UTC).timestamp())})


def end_run(results: Path, outcome: str) -> None:
    """Complete the record of the run that `start_run` began.

    Parameters
    ----------
    results
        The results folder.
    outcome
        `finished` or `failed`.
    """
    run = read_json(results / RUN)
    _add_jobs(results, run)
    ended = _iso(datetime.now(UTC).timestamp())
    write_json(results / RUN, {**run, "ended": ended, "outcome": outcome})


def read_runs(results: Path) -> list[dict[str, Any]]:
    """Read the records of all runs of a results folder, the oldest first; none if it has none."""
    paths = [*sorted((results / RUNS).glob("*.json")), results / RUN]
    return [read_json(path) for path in paths if path.is_file()]


def read_jobs(results: Path) -> list[Job]:
    """Read the jobs of all runs of a results folder, in the order in which they ended.

    Raises
    ------
    InputError
        If the table is damaged.
    """
    path = results / JOBS
    if not path.is_file():
        return []
    kinds = {field.name: field.type for field in fields(Job)}
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return [
                Job(**{name: _value(row[name], kind) for name, kind in kinds.items()})
                for row in csv.DictReader(file)
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is damaged ({error}); move it away.") from None


def allotted(rules: Mapping[str, Mapping[str, Any]], rule: str, job: str) -> Mapping[str, Any]:
    """Find what a job was given: its `code`, `cores` and `gpus`.

    Parameters
    ----------
    rules
        By the name of a rule, or by `<rule> <model>` where it depends on the model.
    rule, job
        As in `Job`; one folder of the job's name is that of its model.
    """
    names = [part.partition(".")[0] for part in reversed(job.split("/"))]
    keys = [rule, *(f"{rule} {name}" for name in names)]
    return next((rules[key] for key in keys if key in rules), {})


def _add_jobs(results: Path, run: Mapping[str, Any]) -> None:
    """Add the jobs whose benchmark files were written since the run began."""
    # Both times are of the same disk; that of the record itself may be of another clock.
    began = (results / RUN).stat().st_mtime
    known = read_jobs(results)
    new = [
        job
        for path in (results / BENCHMARKS).rglob("*.tsv")
        if path.stat().st_mtime >= began
        for job in _jobs_of(path, results / BENCHMARKS, run)
    ]
    if not new:
        return
    jobs = [*known, *sorted(set(new) - set(known), key=lambda job: (job.ended, job.rule, job.job))]
    with (
        written_whole(results / JOBS) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, [field.name for field in fields(Job)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, jobs))


def _jobs_of(path: Path, folder: Path, run: Mapping[str, Any]) -> Iterable[Job]:
    rule, *parts = path.relative_to(folder).with_suffix("").parts
    job = "/".join(parts) if parts != [rule] else ""
    given = allotted(run.get("rules", {}), rule, job)
    ended = path.stat().st_mtime
    with path.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            seconds = _measured(row.get("s"))
            if seconds is None:
                continue
            yield Job(
                run=run["started"],
                rule=rule,
                job=job,
                code=given.get("code", ""),
                started=_iso(ended - seconds),
                ended=_iso(ended),
                seconds=seconds,
                cpu_seconds=_measured(row.get("cpu_time")),
                memory_mb=_measured(row.get("max_rss")),
                cores=given.get("cores", 1),
                gpus=given.get("gpus", 0),
            )


def _measured(text: str | None) -> float | None:
    return None if text in (None, "", "-", "NA") else float(text)


def _value(text: str, kind: Any) -> Any:
    return kind(text) if isinstance(kind, type) else float(text) if text else None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
