# All Python of the graph: the configuration, what the wildcards may be, and the functions that
# say which files and which settings a rule gets.

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import snakemake
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT))

from pipeline_lib.checks import kind_of, transfers_one_pair
from pipeline_lib.configuration import read_configuration
from pipeline_lib.errors import InputError
from pipeline_lib.imaging.bids import (
    find_dseg,
    find_patients,
    find_scans,
    patient_of,
    scan_name,
)
from pipeline_lib.imaging.sidecars import inherited_sidecars, sidecar_of
from pipeline_lib.phantom.options import patient_names, simulation_options
from pipeline_lib.provenance import code_digest, commit_of, has_changes
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.leaked import check_leaked_settings, is_leaked
from pipeline_lib.slices.split import make_split


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


def uses_conda():
    methods = workflow.deployment_settings.deployment_method
    return any(method.name == "CONDA" for method in methods)


def stages_path():
    """Where the stages' Python is: conda says so itself; else .venv/stages, where `make` put it."""
    made_by_make = ROOT / ".venv/stages/bin"
    if uses_conda() or not made_by_make.exists():
        return "$PATH"
    return f"{made_by_make}:$PATH"


def check_stages_python():
    """Stop before any job where the stages would find no torch and no ANTs to import."""
    if uses_conda():
        if not shutil.which("conda"):
            raise WorkflowError(
                "--use-conda was given, but there is no conda on this machine: install conda "
                "(24.7.1 or newer), or run `make setup` once and leave the option out."
            )
        return
    if (ROOT / ".venv/stages/bin").exists():
        return
    question = "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, sys.argv[1:])))"
    if subprocess.run(["python", "-c", question, "torch", "ants", "nibabel"]).returncode != 0:
        raise WorkflowError(
            "The Python on the path lacks torch, ants or nibabel, which the stages import: "
            "run `make setup` once, or add --use-conda."
        )


if workflow.is_main_process:
    check_stages_python()

# ITK takes all cores unless told; the other libraries follow what Snakemake exports.
# PYTHONPATH makes pipeline_lib importable in every environment and working directory.
shell.prefix(
    f"set -euo pipefail; export PATH={stages_path()} PYTHONPATH={ROOT} MPLBACKEND=Agg "
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS=$OMP_NUM_THREADS; "
)


onstart:
    # For the report; not an input of it, so that a commit alone reruns nothing.
    Path("results").mkdir(exist_ok=True)
    Path("results/run.json").write_text(json.dumps(describe_run(), indent=2))


def describe_run():
    """What is running: the commit of the workflow, its settings, the versions of its driver."""
    return {
        "configuration": CONFIGURATION,
        "commit": commit_of(ROOT),
        "dirty": has_changes(ROOT),
        "versions": {
            "snakemake": snakemake.__version__,
            "python (driver)": platform.python_version(),
        },
    }


# Settings and code that a rule depends on ------------------------------------------------------


def as_options(**sections):
    """One canonical JSON text: Snakemake compares it as a whole, so two swapped times are seen."""
    return json.dumps(sections)


def dataset_options(*sections, seeded=False):
    """Options of a rule with a dataset: the named sections of it, and the seed if it draws."""

    def options(wildcards):
        dataset = DATASETS[wildcards.dataset]
        seed = {"seed": CONFIGURATION["seed"]} if seeded else {}
        return as_options(**seed, **{section: dataset[section] for section in sections})

    return options


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
    # How many threads and GPUs a training takes changes nothing of what it learns.
    settings = model_of(wildcards)
    machine = ("threads", "gpus")
    return as_options(
        seed=CONFIGURATION["seed"],
        experiment=wildcards.experiment,
        model={key: value for key, value in settings.items() if key not in machine},
        pairs=trainings(wildcards.experiment)[wildcards.model],
        unseen=EXPERIMENTS[wildcards.experiment]["unseen"],
    )


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


def raw_input(wildcards):
    """Files that hold a session's raw scans: themselves, or the folder that a rule makes."""
    dataset, session = wildcards.dataset, wildcards.session
    kind = kind_of(DATASETS[dataset])
    if kind == "virtual":
        return f"results/simulate/{dataset}/{session}"
    if kind == "dicom":
        return f"results/convert_dicom/{dataset}/{session}"
    scans = raw_scans(wildcards)
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


def memory(megabytes):
    """Memory that doubles with every retry (the retries themselves stand in the profile)."""

    def mem_mb(wildcards, attempt):
        return megabytes * 2 ** (attempt - 1)

    return mem_mb
