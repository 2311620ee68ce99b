# Where the results lie. With --default-storage-provider every path of a rule names something in a
# bucket, of which jobs see copies below .snakemake/storage (docs/storage.md); else these change
# nothing.

import os
import sys
from pathlib import Path

from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG

IN_STORAGE = workflow.storage_settings.default_storage_provider is not None


def copy_of(path):
    """Where a job finds what a rule calls `path`: there, or its copy of what is in the bucket."""
    return str(workflow.inputfile(path)) if IN_STORAGE else path


def raw(paths):
    """Raw data stay where they are, on a file system that every job sees. (Snakemake's own `local`
    would say that only this machine does, and run their jobs here.)"""
    paths = list(map(str, paths))
    return flag(paths, PATH_MODIFIER_FLAG) if IN_STORAGE else paths


def in_storage(paths):
    """Inputs that a rule has to name only where they must be copied from a bucket first."""
    return paths if IN_STORAGE else []


def report_reads():
    """What the report shows of the way to its tables: splits, sequences, trainings, images."""
    found = [f"results/split/{name}.csv" for name in EXPERIMENTS]
    for dataset in SCANNED_DATASETS:
        found += [f"results/check_scans/{dataset}/{unit}" for unit in session_units(dataset)]
    found += [folder for dataset in USED_DATASETS for folder in slices_of(dataset)]
    for name in EXPERIMENTS:
        for model in trainings(name):
            for fold in range(fold_count(name)):
                found.append(f"results/train/{name}/{model}/fold-{fold}")
                found.append(f"results/predict/{name}/{model}/fold-{fold}")
    return found


# What is written here of each run, beside what the jobs make; see pipeline_lib.runs.
RESULTS = Path(copy_of("results"))
RECORDS = ("run.json", "runs", "jobs.csv", "code.json")


def records():
    """They themselves in the bucket, if the results are in one."""
    names = RECORDS if IN_STORAGE else ()
    return [workflow.inputfile(f"results/{name}").storage_object for name in names]


def bring_records():
    """Before a run: what the bucket tells of the runs before, of other machines too."""
    for stored in records():
        bring(stored)


def bring_benchmarks():
    """After a run: what its jobs took, where they ran elsewhere."""
    for job in workflow.dag.needrun_jobs(exclude_finished=False) if IN_STORAGE else ():
        if job.benchmark:
            bring(job.benchmark.storage_object)


def bring(stored):
    """Copy a file or folder from the bucket, if one is there and none, or an older one, here."""
    here = stored.local_path()
    if not workflow.async_run(stored.managed_exists()):
        return
    changed = workflow.async_run(stored.managed_mtime())
    if not here.exists() or here.stat().st_mtime < changed:
        workflow.async_run(stored.managed_retrieve())
        os.utime(here, (changed, changed))


def keep_records():
    """Put what is told of the runs beside the results in the bucket."""
    for stored in records():
        if stored.local_path().exists():
            workflow.async_run(stored.managed_store())


def show_failures():
    """Show the logs of what failed; Snakemake seeks them by their names in the bucket, in vain."""
    for job in workflow.scheduler.failed if IN_STORAGE else ():
        for log in job.log:
            bring(log.storage_object)
            if Path(log).is_file():
                sys.stderr.write(f"{log}:\n{Path(log).read_text()}")
