# All Python of the graph: the configuration, what the wildcards may be, and the functions that
# say which files and which settings a rule gets.

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

from pipeline_lib.checks import kind_of, transfers_one_pair
from pipeline_lib.configuration import read_configuration
from pipeline_lib.errors import InputError
from pipeline_lib.files import StorageError, check_room
from pipeline_lib.imaging.bids import (
    find_dseg,
    find_patients,
    find_scans,
    patient_of,
    scan_name,
)
from pipeline_lib.imaging.sidecars import inherited_sidecars, sidecar_of
from pipeline_lib.machine import describe_machine, packages_of
from pipeline_lib.phantom.options import patient_names, simulation_options
from pipeline_lib.provenance import code_digest, commit_of, has_changes
from pipeline_lib.runs import end_run, start_run
from pipeline_lib.signal.sequences import Sequence
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


def find_raw_scans(name):
    """Raw scans of a dataset: {session: {contrast: path}}, known before any job starts."""
    dataset = DATASETS[name]
    contrasts, kind = dataset["contrasts"], kind_of(dataset)
    if kind == "pictures":
        root = Path(dataset["pictures"]["root"])
        return {f"sub-{name}": {c: root / values["file"] for c, values in contrasts.items()}}
    if kind == "bids":
        return find_scans(
            dataset["bids"]["root"], contrasts, dataset["reference"], dataset["exclude"]
        )
    if kind == "virtual":
        patients = patient_names(dataset)
        folder, sequences = f"results/simulate/{name}", contrasts
    else:
        patients = list(find_patients(dataset["dicom"]["root"]))
        folder, sequences = f"results/convert_dicom/{name}", {}
    names = {
        contrast: Sequence.from_mapping(sequences[contrast]) if sequences else None
        for contrast in contrasts
    }
    return {
        patient: {
            contrast: f"{folder}/{patient}/anat/{scan_name(patient, contrast, names[contrast])}.nii.gz"
            for contrast in contrasts
        }
        for patient in patients
        if patient not in dataset["exclude"]
    }


def patients_of(dataset):
    return list(dict.fromkeys(patient_of(session) for session in RAW_SCANS[dataset]))


def split_settings(experiment):
    """What a split is made of besides the slices; every patient is taken for its own anatomy."""
    patients = patients_of(EXPERIMENTS[experiment]["dataset"])
    return {
        "patients": patients,
        "anatomies": {patient: patient for patient in patients},
        "split": EXPERIMENTS[experiment]["split"],
        "seed": CONFIGURATION["seed"],
    }


def check_split_of(experiment):
    settings = split_settings(experiment)
    if is_leaked(settings["split"]):
        check_leaked_settings(settings["split"], settings["patients"])
    else:
        make_split(**settings)


try:
    CONFIGURATION, notices = read_configuration(config, ROOT)
    tell(notices)
    DATASETS = CONFIGURATION["datasets"]
    EXPERIMENTS = CONFIGURATION["experiments"]
    MODELS = CONFIGURATION["models"]
    USED_DATASETS = list(
        dict.fromkeys(name for e in EXPERIMENTS.values() for name in (e["dataset"], *e["external"]))
    )
    SCANNED_DATASETS = [name for name in USED_DATASETS if kind_of(DATASETS[name]) != "pictures"]
    RAW_SCANS = {name: find_raw_scans(name) for name in USED_DATASETS}
    for experiment in EXPERIMENTS:
        check_split_of(experiment)  # the job makes the table
except InputError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset="|".join(USED_DATASETS),
    experiment="|".join(EXPERIMENTS),
    model=r"|".join(rf"{name}(\.[A-Za-z0-9]+\.[A-Za-z0-9]+)?" for name in MODELS) or "none",
    patient="sub-[A-Za-z0-9]+",
    session="sub-[A-Za-z0-9]+(_ses-[A-Za-z0-9]+)?",
    fold=r"\d+",


# The environment of the stages --------------------------------------------------------------


def stages_path():
    """Where the stages' Python is: conda says so itself; else .venv/stages, where `make` put it."""
    made_by_make = ROOT / ".venv/stages/bin"
    if uses_conda() or not made_by_make.exists():
        return "$PATH"
    return f"{made_by_make}:$PATH"


def check_stages_python():
    """Stop before any job where the stages would find no torch and no ANTs to import."""
    if uses_conda() or (ROOT / ".venv/stages/bin").exists():
        return
    question = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    command = ["python", "-c", question, "torch", "ants", "nibabel"]
    if not shutil.which("python") or subprocess.run(command).returncode != 0:
        raise WorkflowError(
            "The Python on the path lacks torch, ants or nibabel, which the stages import: "
            "run `make setup` once, or add --use-conda."
        )


if workflow.is_main_process:
    check_stages_python()

# ITK takes all cores unless told; the other libraries follow what Snakemake exports.
# PYTHONPATH makes pipeline_lib importable in every environment and working directory. A conda
# environment would see what its user installed with `pip install --user`, too.
shell.prefix(
    f"set -euo pipefail; export PATH={stages_path()} PYTHONPATH={ROOT} MPLBACKEND=Agg "
    f"{'PYTHONNOUSERSITE=1 ' if uses_conda() else ''}"
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=$OMP_NUM_THREADS; "
)


onstart:
    # For the report and the crate; not an input of them, so that a commit alone reruns nothing.
    record(start_run, describe_run())
    record(record_code, ROOT)
    atexit.register(tell_refusal, Path("results").absolute())


onsuccess:
    record(end_run, "finished")


onerror:
    record(end_run, "failed")


def record(write, content):
    """Keep what runs in the results folder; one that can't be written stops before any job."""
    try:
        write(Path("results"), content)
    except (InputError, StorageError) as error:
        raise WorkflowError(str(error)) from None


def tell_refusal(results):
    """Say once more, in the end, that the disk is full: the stage's log had no room for it."""
    try:
        check_room(results)
    except StorageError as error:
        sys.stderr.write(f"Error: {error}\n")


def describe_run():
    """What is running: the commit of the workflow, its settings, its packages, its machine."""
    machine = describe_machine()
    return {
        "configuration": CONFIGURATION,
        "commit": commit_of(ROOT),
        "dirty": has_changes(ROOT),
        "versions": {
            "snakemake": snakemake.__version__,
            "python (driver)": platform.python_version(),
        },
        "packages": {name: packages_of(path) for name, path in environments().items()},
        "machine": machine,
        "rules": given_to_rules(has_gpus=bool(machine["gpus"]) or not workflow.local_exec),
    }


def environments():
    """Folders of Snakemake's own environment and of those of the stages."""
    found = {"driver": Path(sys.prefix)}
    if uses_conda():
        for made in workflow.dag.conda_envs.values():
            name = Path(made.file.get_path_or_uri(secret_free=True)).stem
            found[name] = Path(made.address)
        return found
    made_by_make = ROOT / ".venv/stages"
    python = shutil.which("python")
    if made_by_make.exists():
        found["stages"] = made_by_make
    elif python:
        found["stages"] = Path(python).parents[1]
    return found


def given_to_rules(has_gpus):
    """Code, cores and GPUs of each rule, for each model where they depend on it."""

    def given(made, wildcards=None):
        code, cores, gpus = (made.params.code, *map(made.resources.get, ("_cores", "gpu")))
        cores, gpus = (x.evaluate(wildcards) if x.is_evaluable() else x for x in (cores, gpus))
        return {
            "code": code(wildcards) if callable(code) else code,
            "cores": min(cores.value or 1, workflow.cores if workflow.local_exec else math.inf),
            "gpus": (gpus.value or 0) if has_gpus else 0,
        }

    found = {}
    for made in filter(lambda made: "code" in made.params.keys(), workflow.rules):
        if "model" in made.wildcard_names:
            models = {f"{made.name} {model}": SimpleNamespace(model=model) for model in MODELS}
            found |= {name: given(made, wildcards) for name, wildcards in models.items()}
        else:
            found[made.name] = given(made)
    return found


# Settings and code that a rule depends on ------------------------------------------------------


def as_options(**sections):
    """One canonical JSON text: Snakemake compares it as a whole, so two swapped times are seen."""
    return json.dumps(sections)


def dataset_options(*sections, contrasts=None, seeded=False):
    """Options of a rule with a dataset: the named sections of it, and the seed if it draws.

    Of the contrasts it gets the names (`contrasts=list`), or all that stands below them
    (`contrasts=dict`), so that a corrected echo time of real scans moves no image.
    """

    def options(wildcards):
        dataset = DATASETS[wildcards.dataset]
        read = {section: dataset[section] for section in sections}
        if contrasts:
            read["contrasts"] = contrasts(dataset["contrasts"])
        if seeded:
            read["seed"] = CONFIGURATION["seed"]
        return as_options(**read)

    return options


def correct_bias_options(wildcards):
    """The reference counts only where nothing is corrected: its mask is every scan's then."""
    corrected = DATASETS[wildcards.dataset]["correct_bias"]["activate"]
    sections = ("correct_bias",) if corrected else ("correct_bias", "reference")
    return dataset_options(*sections, contrasts=list)(wildcards)


def simulate_options(wildcards):
    name = wildcards.dataset
    return as_options(**simulation_options(CONFIGURATION["seed"], name, DATASETS[name]))


def signal_of(dataset):
    """The signal equation that the maps of a dataset are fitted with. Imperfect pulses (`epg`) have
    none that can be fitted without knowing them: the ideal ones' is taken, as for real scans."""
    return "simko" if DATASETS[dataset].get("virtual", {}).get("signal") == "simko" else "exact"


def fit_options(wildcards):
    settings = DATASETS[wildcards.dataset]["fit_maps"]
    chosen = {name: value for name, value in settings.items() if name != "activate"}
    return as_options(signal=signal_of(wildcards.dataset), **chosen)


def trainings(experiment):
    """What is trained in an experiment: {name in the paths: its pairs of contrasts}.

    A model that knows one pair only is trained for each, as `model.source.target`.
    """
    pairs = EXPERIMENTS[experiment]["pairs"]
    found = {}
    for model in EXPERIMENTS[experiment]["models"]:
        if transfers_one_pair(MODELS[model]):
            found |= {".".join([model, *pair]): [pair] for pair in pairs}
        else:
            found[model] = pairs
    return found


def model_of(wildcards):
    """The section of a model: its name in the paths may name a pair of contrasts too."""
    return MODELS[wildcards.model.partition(".")[0]]


def train_options(wildcards):
    # What a training takes of the machine changes nothing of what it learns: resources tell it.
    settings = model_of(wildcards)
    machine = ("threads", "gpus", "workers", "checkpoint_seconds")
    return as_options(
        seed=CONFIGURATION["seed"],
        experiment=wildcards.experiment,
        model={key: value for key, value in settings.items() if key not in machine},
        pairs=trainings(wildcards.experiment)[wildcards.model],
        unseen=EXPERIMENTS[wildcards.experiment]["unseen"],
    )


def training_split(wildcards):
    """What a training depends on of the split; who is tested besides as seen is no part of it."""
    settings = split_settings(wildcards.experiment)
    split = {key: value for key, value in settings["split"].items() if key != "seen"}
    return as_options(**settings | {"split": split})


def evaluate_options(wildcards):
    """Options of the evaluation of a model, or of the baselines, on the experiment's own dataset
    or, where the wildcards name one, on another."""
    experiment = EXPERIMENTS[wildcards.experiment]
    dataset = getattr(wildcards, "dataset", experiment["dataset"])
    if hasattr(wildcards, "model"):
        own = {"model": model_of(wildcards)["name"]}
    else:
        own = {"seed": CONFIGURATION["seed"], "signal": signal_of(dataset)}
    return as_options(
        experiment=wildcards.experiment,
        dataset=dataset,
        pairs=pairs_on(wildcards.experiment, dataset),
        unseen=experiment["unseen"],
        paper=experiment["paper"],
        **own,
    )


def pairs_on(experiment, dataset):
    """The pairs to evaluate on a dataset; on another than the experiment's, all of its own, from
    the one source of the experiment where it has only one."""
    pairs = EXPERIMENTS[experiment]["pairs"]
    if dataset == EXPERIMENTS[experiment]["dataset"]:
        return pairs
    contrasts = list(DATASETS[dataset]["contrasts"])
    sources = {source for source, _ in pairs}
    if len(sources) > 1:
        sources = set(contrasts)
    return [
        [source, target]
        for source in contrasts
        for target in contrasts
        if source in sources and source != target
    ]


def map_tissues_options(wildcards):
    return as_options(
        experiment=wildcards.experiment,
        model=model_of(wildcards)["name"],
        fold=int(wildcards.fold),
    )


def decide_options(wildcards):
    dataset = EXPERIMENTS[wildcards.experiment]["dataset"]
    return as_options(seed=CONFIGURATION["seed"], signal=signal_of(dataset))


def split_options(wildcards):
    return as_options(**split_settings(wildcards.experiment))


def report_options():
    return as_options(
        seed=CONFIGURATION["seed"],
        configuration=CONFIGURATION,
        datasets={
            name: {
                "kind": kind_of(DATASETS[name]),
                "sessions": {session: patient_of(session) for session in RAW_SCANS[name]},
                "contrasts": list(DATASETS[name]["contrasts"]),
                "reference": DATASETS[name]["reference"],
            }
            for name in USED_DATASETS
        },
        experiments={
            name: {
                "dataset": experiment["dataset"],
                "folds": fold_count(name),
                "models": experiment["models"],
                "pairs": experiment["pairs"],
                "one_pair": [m for m in experiment["models"] if transfers_one_pair(MODELS[m])],
                "paper": experiment["paper"],
                "unseen": experiment["unseen"],
                "leaked": is_leaked(experiment["split"]),
                "external": experiment["external"],
                "seen": experiment["split"].get("seen", 0),
            }
            for name, experiment in EXPERIMENTS.items()
        },
    )


def code(stage):
    """Digest of a stage's module and of every library module that it reaches by imports."""
    return f"{stage}@{code_digest(f'pipeline_lib.stages.{stage}', ROOT)}"


def training_stage(wildcards):
    """One stage module a system, so that a change in one system's code retrains no other."""
    return f"train_{model_of(wildcards)['system'].partition('_')[0]}"


def training_code(wildcards):
    return code(training_stage(wildcards))


# Files that a rule needs -------------------------------------------------------------------------


def sessions_of(dataset, patient=None):
    return [s for s in RAW_SCANS[dataset] if patient is None or patient_of(s) == patient]


def fold_count(experiment):
    return EXPERIMENTS[experiment]["split"].get("folds", 1)


def raw_images(wildcards):
    """Files that hold a session's raw scans: themselves, or the folder that a rule makes."""
    dataset, session = wildcards.dataset, wildcards.session
    kind = kind_of(DATASETS[dataset])
    if kind == "virtual":
        return [f"results/simulate/{dataset}/{session}"]
    if kind == "dicom":
        return [f"results/convert_dicom/{dataset}/{session}"]
    return raw_scans(wildcards)


def raw_input(wildcards):
    """A session's raw scans, and the sidecars that lie beside those of a BIDS folder."""
    scans = raw_images(wildcards)
    if kind_of(DATASETS[wildcards.dataset]) in ("virtual", "dicom"):
        return scans
    sidecars = [path for scan in scans for path in [*inherited_sidecars(scan), sidecar_of(scan)]]
    return [*scans, *dict.fromkeys(str(path) for path in sidecars if path.exists())]


def raw_scans(wildcards):
    """Paths of a session's raw scans in the order of the contrasts."""
    return [str(scan) for scan in RAW_SCANS[wildcards.dataset][wildcards.session].values()]


def raw_pictures(wildcards):
    """Pictures of a patient in the order of the contrasts."""
    return [str(path) for path in RAW_SCANS[wildcards.dataset][wildcards.patient].values()]


def truth_folder(wildcards):
    """Folder of a virtual patient's truth; nothing for real ones."""
    patient = patient_of(getattr(wildcards, "session", None) or wildcards.patient)
    return truth_of(wildcards.dataset, patient)


def truth_of(dataset, patient):
    if kind_of(DATASETS[dataset]) != "virtual":
        return []
    return f"results/simulate/{dataset}/derivatives/truth/{patient}"


def experiment_truth(wildcards):
    """Truth of all patients of an experiment's dataset; nothing for real ones."""
    dataset = EXPERIMENTS[wildcards.experiment]["dataset"]
    folders = [truth_of(dataset, patient) for patient in patients_of(dataset)]
    return [folder for folder in folders if folder]


def tissue_source(wildcards):
    """What the segmentation reads: the truth, a dseg of the BIDS derivatives, or nothing."""
    dataset = DATASETS[wildcards.dataset]
    method = dataset["segment"]["tissues"]
    if method == "truth":
        return truth_folder(wildcards)
    if method in ("dseg", "wmparc") and "bids" in dataset:
        found = find_dseg(dataset["bids"]["root"], wildcards.session, method == "wmparc")
        if found is None:
            raise WorkflowError(
                f"{wildcards.session} has no *_dseg.nii.gz under "
                f"{dataset['bids']['root']}/derivatives: add it, exclude the session, or set "
                f"datasets.{wildcards.dataset}.segment.tissues to atropos."
            )
        return str(found)
    return []


def named(option, function):
    """A command-line option with what an input function gives (one file or several), or nothing."""

    def argument(wildcards):
        value = function(wildcards)
        files = value if isinstance(value, str) else " ".join(value)
        return f"{option} {files}" if files else ""

    return argument


def tissue_argument(wildcards):
    option = {"truth": "--truth", "dseg": "--dseg", "wmparc": "--dseg"}
    method = DATASETS[wildcards.dataset]["segment"]["tissues"]
    return named(option.get(method, ""), tissue_source)(wildcards)


def per_session(stage, suffix=""):
    """Input function: a stage's results for all sessions of a patient."""

    def files(wildcards):
        return [
            f"results/{stage}/{wildcards.dataset}/{session}{suffix}"
            for session in sessions_of(wildcards.dataset, wildcards.patient)
        ]

    return files


def experiment_slices(wildcards):
    """The slice stores of all patients of an experiment's dataset."""
    return slices_of(EXPERIMENTS[wildcards.experiment]["dataset"])


def slices_of(dataset):
    return [f"results/slices/{dataset}/{patient}" for patient in patients_of(dataset)]


def external_slices(wildcards):
    """The slice stores of another dataset that an experiment's models are tested on."""
    return slices_of(wildcards.dataset)


def unpaired_draws(wildcards):
    """The draws of the systems that train without pairs; nothing for the others."""
    without_pairs = model_of(wildcards)["system"].startswith("simko")
    return [f"results/unpair/{wildcards.experiment}.csv"] if without_pairs else []


def leaked_slices(wildcards):
    """The slices that a leaked split deals out; an honest one knows patients alone."""
    leaked = is_leaked(EXPERIMENTS[wildcards.experiment]["split"])
    return experiment_slices(wildcards) if leaked else []


def registered_sessions(wildcards):
    dataset = EXPERIMENTS[wildcards.experiment]["dataset"]
    return [f"results/register/{dataset}/{session}" for session in RAW_SCANS[dataset]]


def experiment_maps(wildcards):
    """Folders of the least-squares maps of all patients of an experiment's dataset."""
    return maps_of(EXPERIMENTS[wildcards.experiment]["dataset"])


def maps_of(dataset):
    if not DATASETS[dataset]["fit_maps"]["activate"]:
        return []
    return [f"results/fit_maps/{dataset}/{patient}" for patient in patients_of(dataset)]


def evaluation_parts():
    """Tables that the evaluation gathers: every model and the baselines, fold by fold, on the
    experiment's own dataset and on those it is tested on besides."""
    parts = []
    for name, experiment in EXPERIMENTS.items():
        for fold in range(fold_count(name)):
            tested = [("evaluate", "evaluate_baselines", "")]
            tested += [
                ("evaluate_external", "evaluate_baselines_external", f"{dataset}/")
                for dataset in experiment["external"]
            ]
            for models, baselines, where in tested:
                parts.append(f"results/{baselines}/{where}{name}/fold-{fold}.parquet")
                parts += [
                    f"results/{models}/{where}{name}/{model}/fold-{fold}.parquet"
                    for model in trainings(name)
                ]
    return parts


def of_simko(table, paper=None):
    """Tables of what the models of Simko et al. tell besides their images, in all experiments or
    in those of a paper."""
    return [
        f"results/{table}/{name}/{model}/fold-{fold}.csv"
        for name, experiment in EXPERIMENTS.items()
        for model in experiment["models"]
        for fold in range(fold_count(name))
        if MODELS[model]["system"].startswith("simko")
        and DATASETS[experiment["dataset"]]["fit_maps"]["activate"]
        and paper in (None, experiment["paper"])
    ]


def fitted_maps():
    """Folders of the least-squares maps, of the datasets that want them."""
    return [folder for dataset in SCANNED_DATASETS for folder in maps_of(dataset)]


def quality_folders():
    return [
        f"results/bias_quality/{dataset}/{session}"
        for dataset in SCANNED_DATASETS
        for session in RAW_SCANS[dataset]
    ]


def virtual_datasets():
    return [name for name in USED_DATASETS if kind_of(DATASETS[name]) == "virtual"]


def dataset_descriptions():
    simulated = [f"results/simulate/{name}" for name in virtual_datasets()]
    mapped = [f"results/fit_maps/{name}" for name in SCANNED_DATASETS if maps_of(name)]
    return [f"{folder}/dataset_description.json" for folder in simulated + mapped]


def virtual_scans():
    """Folders of the raw scans of all virtual patients, and what describes their datasets."""
    return [
        f"results/simulate/{name}/{part}"
        for name in virtual_datasets()
        for part in [*patients_of(name), "dataset_description.json"]
    ]


def dicom_folder(wildcards):
    return str(find_patients(DATASETS[wildcards.dataset]["dicom"]["root"])[wildcards.session])


# What a job is given -----------------------------------------------------------------------------
# Of size, in millions of voxels: from the configuration, and from the headers of a first session.

# Two more Snakemakes run beside the command of a cluster job.
SNAKEMAKES_MB = 400
LEAST_MB = 1000


@cache
def shape_of(dataset):
    sessions = RAW_SCANS[dataset].values()
    return scan_shape(DATASETS[dataset], map(Path, next(iter(sessions), {}).values()))


@cache
def patient_count(dataset):
    return len(patients_of(dataset))


def dataset_of(wildcards):
    """The dataset that a job's patients are of."""
    own = getattr(wildcards, "dataset", None)
    return own or EXPERIMENTS[wildcards.experiment]["dataset"]


def scan_size(wildcards):
    """Of a scan of one contrast."""
    return math.prod(shape_of(dataset_of(wildcards))) / 1e6


def session_size(wildcards):
    """Of all contrasts of a session."""
    return scan_size(wildcards) * len(DATASETS[dataset_of(wildcards)]["contrasts"])


def registration_size(wildcards):
    """Of a scan, and of the displacements of its voxels where they are sought."""
    deforms = DATASETS[wildcards.dataset]["register"]["transform"] == "syn"
    return scan_size(wildcards) * (4 if deforms else 1)


def registrations_size(wildcards):
    return registration_size(wildcards) * len(DATASETS[wildcards.dataset]["contrasts"])


def slices_size(wildcards):
    """Of a patient's slices of one contrast, all sessions together."""
    dataset = dataset_of(wildcards)
    sessions = math.ceil(len(RAW_SCANS[dataset]) / max(1, patient_count(dataset)))
    return sessions * stored_pixels(DATASETS[dataset], shape_of(dataset)) / 1e6


def store_size(wildcards):
    """Of a patient's slices, all contrasts."""
    return slices_size(wildcards) * len(DATASETS[dataset_of(wildcards)]["contrasts"])


def prediction_size(wildcards):
    """Of all images that a model predicts of a patient."""
    alone = hasattr(wildcards, "model") and transfers_one_pair(model_of(wildcards))
    pairs = 1 if alone else len(pairs_on(wildcards.experiment, dataset_of(wildcards)))
    return slices_size(wildcards) * pairs


def predictions_size(wildcards):
    """Of all images that a model predicts in a fold."""
    dataset, experiment = dataset_of(wildcards), EXPERIMENTS[wildcards.experiment]
    patients = patient_count(dataset)
    if dataset == experiment["dataset"]:
        patients = predicted_patients(experiment["split"], patients)
    return prediction_size(wildcards) * patients


def evaluation_size(wildcards):
    """Of a patient's slices and what is predicted of them, which is held in fewer copies."""
    return store_size(wildcards) + 0.2 * prediction_size(wildcards)


def memory(megabytes, size=None, each=0):
    """Memory: a stage's own, and so much for each million voxels. It doubles with every retry
    (the retries themselves stand in the profile)."""

    def mem_mb(wildcards, attempt):
        needed = megabytes + (each * size(wildcards) if size else 0) + SNAKEMAKES_MB
        return max(LEAST_MB, math.ceil(needed / 500) * 500) * 2 ** (attempt - 1)

    return mem_mb


def minutes(least, size=None, each=0):
    """Time: a stage's own, and so many minutes for each million voxels; it doubles as well."""

    def runtime(wildcards, attempt):
        needed = least + (each * size(wildcards) if size else 0)
        return math.ceil(needed / 10) * 10 * 2 ** (attempt - 1)

    return runtime


def gpus_of(wildcards):
    return model_of(wildcards)["gpus"]


def workers_of(wildcards):
    return model_of(wildcards)["workers"]


def checkpoint_seconds_of(wildcards):
    return str(model_of(wildcards)["checkpoint_seconds"])


def one_gpu(wildcards):
    """For what follows a training: a GPU if it had any."""
    return min(gpus_of(wildcards), 1)


def training_size(wildcards):
    """Of the images in one part of a batch."""
    model = model_of(wildcards)
    whole = slice_pixels(DATASETS[dataset_of(wildcards)])
    pixels = min(whole, model.get("patch_size", math.inf) ** 2)
    return pixels * model["batch_size"] / model["accumulate"] / 1e6


def training_memory(wildcards, attempt):
    """On the processor the batch counts; beside a GPU each process, and those that read for it."""
    model = model_of(wildcards)
    readers = 500 * model["workers"]
    if model["gpus"]:
        return memory(model["gpus"] * (6000 + readers))(wildcards, attempt)
    return memory(2500 + readers, training_size, 6000)(wildcards, attempt)
