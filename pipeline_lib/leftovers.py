"""What a killed run leaves: jobs that run on, and files that nobody will complete.

Standard library only, the Snakefile imports it.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline_lib.files import HOST, PARTIAL, writer_of

JOB_OF = "RECONTRAST_JOB_OF"
"""Environment variable of each job: the process number of the Snakemake that started it."""
WEEK_SECONDS = 7 * 24 * 3600.0
PATIENCE_SECONDS = 60.0
"""For a job to end: a training needs a step and a write of its checkpoint."""
PROC = Path("/proc")


def remove_leftovers(results: Path, old: float = WEEK_SECONDS) -> list[Path]:
    """Remove the files and folders that no living process will complete.

    Of this machine's processes that is known. What another machine began, or a process whose
    number lives here (it may be another's by now), goes once nothing in it changed for long.

    Parameters
    ----------
    results
        The results folder; one that is missing holds nothing.
    old
        Seconds.

    Returns
    -------
        What was removed.
    """
    removed = []
    for path in _partials(results):
        writer = writer_of(path.name)
        is_dead = writer is not None and writer[1] == HOST and not _lives(writer[0])
        if is_dead or time.time() - _last_change(path) > old:
            _remove(path)
            removed.append(path)
    return removed


def _partials(results: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(results):
        begun = [name for name in folders if name.startswith(PARTIAL)]
        folders[:] = [name for name in folders if name not in begun]
        yield from (Path(folder, name) for name in begun)
        yield from (Path(folder, name) for name in files if name.startswith(PARTIAL))


def _remove(path: Path) -> None:
    """Remove what can be removed; the rest does no harm, and is tried again by the next run."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    # One that has ended, and whose end nobody has asked for yet, still has its number.
    try:
        return not _status(process)["State"].strip().startswith("Z")
    except OSError:
        return not PROC.exists()


def _last_change(path: Path) -> float:
    """Time of the last change of a file, or of anything in a folder; now, if it is gone."""
    times = []
    for one in (path, *path.rglob("*")):
        with suppress(FileNotFoundError):
            times.append(one.stat().st_mtime)
    return max(times, default=time.time())


def find_orphans(folder: Path) -> dict[int, str]:
    """Find the jobs that work in a folder and whose Snakemake was killed.

    Those of a Snakemake that lives, also of one that runs within a scheduler's job, have it among
    their ancestors. Only on Linux; elsewhere none are found.

    Returns
    -------
        Numbers of their processes, each with the name of its stage; an empty one where a process
        only writes a stage's log.
    """
    found = {}
    for process in (int(path.name) for path in PROC.glob("[0-9]*")):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            job_of = _environment(process).get(JOB_OF)
            if job_of is None or (PROC / f"{process}/cwd").resolve() != folder.resolve():
                continue
            if _counts_as_here(process) and int(job_of) not in _ancestors(process):
                found[process] = _stage(process)
    return found


def end_jobs(processes: Iterable[int], patience: float = PATIENCE_SECONDS) -> None:
    """End processes of jobs, by SIGTERM if they hear it, else by SIGKILL.

    Parameters
    ----------
    processes
        Their numbers.
    patience
        Seconds between both signals.
    """
    processes = list(processes)
    _send(signal.SIGTERM, processes)
    _send(signal.SIGCONT, processes)  # one that is suspended would not hear of it
    if not _are_gone(processes, patience):
        _send(signal.SIGKILL, processes)
        _are_gone(processes, patience)


def _environment(process: int) -> dict[str, str]:
    """Give what a process was started with; nothing of one that ended."""
    pairs = (PROC / f"{process}/environ").read_bytes().split(b"\0")
    return dict(os.fsdecode(pair).split("=", 1) for pair in pairs if b"=" in pair)


def _counts_as_here(process: int) -> bool:
    """Tell whether a process, of a container perhaps, knows processes by the same numbers."""
    return (PROC / f"{process}/ns/pid").readlink() == (PROC / "self/ns/pid").readlink()


def _ancestors(process: int) -> Iterator[int]:
    while process > 1:
        process = int(_status(process)["PPid"])
        yield process


def _status(process: int) -> dict[str, str]:
    lines = (PROC / f"{process}/status").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)


def _stage(process: int) -> str:
    words = (PROC / f"{process}/cmdline").read_text().split("\0")
    return next((word.split(".")[-1] for word in words if "pipeline_lib.stages." in word), "")


def _send(number: signal.Signals, processes: Iterable[int]) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def _are_gone(processes: Iterable[int], patience: float) -> bool:
    end = time.monotonic() + patience
    while any(map(_lives, processes)):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
