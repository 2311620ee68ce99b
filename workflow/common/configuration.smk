# The configuration, the raw scans that it names, and what the wildcards may be.

import atexit
import json
import math
import os
import platform
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import snakemake
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))

from pipeline_lib.batches import BATCH, is_batch
from pipeline_lib.checks import kind_of, transfers_one_pair
from pipeline_lib.configuration import read_configuration
from pipeline_lib.disk.need import needed, sentences
from pipeline_lib.errors import InputError
from pipeline_lib.experiments import fold_count as folds_of
from pipeline_lib.experiments import pairs_on as pairs_of
from pipeline_lib.experiments import trainings as trainings_of
from pipeline_lib.experiments import used_datasets
from pipeline_lib.files import StorageError, check_room
from pipeline_lib.imaging.bids import find_dseg, find_patients, patient_of
from pipeline_lib.imaging.sidecars import inherited_sidecars, possible_sidecars, sidecar_of
from pipeline_lib.leftovers import JOB_OF, end_jobs, find_orphans, remove_leftovers
from pipeline_lib.machine import describe_machine, packages_of
from pipeline_lib.phantom.options import simulation_options
from pipeline_lib.provenance import code_digest, commit_of, files_digest, has_changes
from pipeline_lib.raw_scans import batches_of as dealt_out
from pipeline_lib.raw_scans import find_raw_scans
from pipeline_lib.runs import end_run, start_run
from pipeline_lib.sizes import predicted_patients, scan_shape, slice_pixels, stored_pixels
from pipeline_lib.slices.leaked import check_leaked_settings, is_leaked
from pipeline_lib.slices.split import make_split
from pipeline_lib.why.modules import record_code


def uses_conda():
    methods = workflow.deployment_settings.deployment_method
    return any(method.name == "CONDA" for method in methods)


# Snakemake itself would speak of a failed `conda info`.
if workflow.is_main_process and uses_conda() and not shutil.which("conda"):
    raise WorkflowError(
        "--use-conda was given, but no conda is on the path: run `make setup` once and leave "
        "--use-conda out, or install conda (24.7.1 or newer)."
    )


# Snakemake itself would end in a traceback, in a dry run too.
if workflow.is_main_process and not os.access(Path.cwd(), os.W_OK):
    raise WorkflowError(
        f"{Path.cwd()} can't be written: give yourself the permission, mount it for writing, or "
        "name another folder with --directory; the same command then goes on from here."
    )


def tell(notices):
    """Say once what the configuration does without."""
    for notice in notices if workflow.is_main_process else ():
        logger.info(notice)


@cache
def patients_of(dataset):
    return list(dict.fromkeys(patient_of(session) for session in RAW_SCANS[dataset]))


@cache
def batches_of(dataset):
    """Patients that share the jobs of a dataset: {batch: patients}."""
    return dealt_out(DATASETS[dataset], RAW_SCANS[dataset], CONFIGURATION["patients_per_job"])


@cache
def sessions_of(dataset):
    """Sessions of each patient of a dataset, and those of each batch of patients."""
    found = {}
    for session in RAW_SCANS[dataset]:
        found.setdefault(patient_of(session), []).append(session)
    for batch, patients in batches_of(dataset).items():
        found[batch] = [session for patient in patients for session in found[patient]]
    return found


def check_split_of(experiment):
    settings = EXPERIMENTS[experiment]
    patients = patients_of(settings["dataset"])
    if is_leaked(settings["split"]):
        check_leaked_settings(settings["split"], patients)
    else:
        make_split(patients, {}, settings["split"], CONFIGURATION["seed"])


try:
    CONFIGURATION, notices = read_configuration(config, ROOT)
    tell(notices)
    DATASETS = CONFIGURATION["datasets"]
    EXPERIMENTS = CONFIGURATION["experiments"]
    KEEPS_INTERMEDIATE = CONFIGURATION["keep_intermediate"]
    MODELS = CONFIGURATION["models"]
    USED_DATASETS = used_datasets(EXPERIMENTS)
    SCANNED_DATASETS = [name for name in USED_DATASETS if kind_of(DATASETS[name]) != "pictures"]
    RAW_SCANS = {
        name: find_raw_scans(name, DATASETS[name], CONFIGURATION["patients_per_job"])
        for name in USED_DATASETS
    }
    for experiment in EXPERIMENTS if workflow.is_main_process else ():
        check_split_of(experiment)  # the job makes the table
except InputError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset="|".join(USED_DATASETS),
    experiment="|".join(EXPERIMENTS),
    model=r"|".join(rf"{name}(\.[A-Za-z0-9]+\.[A-Za-z0-9]+)?" for name in MODELS) or "none",
    # With jobs for several patients both stand for a batch.
    patient=f"sub-[A-Za-z0-9]+|{BATCH}",
    session=f"sub-[A-Za-z0-9]+(_ses-[A-Za-z0-9]+)?|{BATCH}",
    fold=r"\d+",
