# Files that a rule needs. Patients and sessions come in units: each has jobs of its own, or shares
# those of a batch, which then stands in the wildcard.


def patient_units(dataset):
    return list(batches_of(dataset))


def session_units(dataset):
    return [unit for batch in batches_of(dataset) for unit in sessions_of_unit(dataset, batch)]


def sessions_of_unit(dataset, unit):
    """What a patient's jobs stand for where a job is of a session: its sessions, or its batch."""
    return [unit] if is_batch(unit) else sessions_of(dataset)[unit]


def unit_of(wildcards):
    """The patient, session or batch of a job; nothing for a job of no single one."""
    return getattr(wildcards, "session", None) or getattr(wildcards, "patient", None)


def sessions_in(wildcards):
    """Sessions of a job: of its batch, of its patient, or the one itself."""
    unit = unit_of(wildcards)
    return sessions_of(wildcards.dataset).get(unit, [unit])


def intermediate(folder):
    """An output that only the next stages read, and that can be made again."""
    return directory(folder) if KEEPS_INTERMEDIATE else temp(directory(folder))


def for_each(temporary=False, ancient=""):
    """What comes before a stage to run it for all members of a batch; nothing for a single one.

    temporary: what a member got is not kept apart from its batch. ancient: an option of the stage,
    whose files, made again, move nothing.
    """
    options = f"{'--temporary ' * temporary}{ancient and f'--ancient={ancient} '}"

    def each(wildcards):
        unit = unit_of(wildcards)
        if not is_batch(unit):
            return ""
        of_sessions = hasattr(wildcards, "session")
        found = sessions_of(wildcards.dataset) if of_sessions else batches_of(wildcards.dataset)
        return f"pipeline_lib.each --members {' '.join(found[unit])} {options}-- "

    return each


def fold_count(experiment):
    return folds_of(EXPERIMENTS[experiment])


def raw_folder(wildcards):
    """The folder that a rule makes of the raw scans of a job's sessions; nothing for BIDS."""
    dataset, unit = wildcards.dataset, wildcards.session
    kind = kind_of(DATASETS[dataset])
    if kind == "virtual":
        return [f"results/simulate/{dataset}/{unit}"]
    if kind == "dicom":
        return [f"results/convert_dicom/{dataset}/{unit}"]
    return []


def raw_images(wildcards):
    """Files that hold the raw scans of a job's sessions. Those of a batch of a BIDS folder stand in
    `raw_state` instead: hundreds of files a job make Snakemake slow and large."""
    if is_batch(wildcards.session) or raw_folder(wildcards):
        return raw_folder(wildcards)
    return raw(raw_scans(wildcards))


def raw_input(wildcards):
    """As `raw_images`, and the sidecars beside the scans of a BIDS folder."""
    if is_batch(wildcards.session) or raw_folder(wildcards):
        return raw_folder(wildcards)
    scans = raw_scans(wildcards)
    sidecars = [path for scan in scans for path in [*inherited_sidecars(scan), sidecar_of(scan)]]
    return raw([*scans, *dict.fromkeys(path for path in sidecars if path.exists())])


def raw_state(sidecars=False):
    """Input function: sizes and times of the raw scans of a batch of a BIDS folder, in short, and
    of their sidecars where the stage reads them. Nothing for all other jobs."""

    def state(wildcards):
        if raw_folder(wildcards) or not is_batch(wildcards.session):
            return ""
        scans = [Path(scan) for scan in raw_scans(wildcards)]
        return as_options(raw=files_digest(scans + possible_sidecars(scans) * sidecars))

    return state


def raw_scans(wildcards):
    """Paths of the raw scans of a job's sessions, each in the order of the contrasts."""
    scans = RAW_SCANS[wildcards.dataset]
    paths = [str(scan) for session in sessions_in(wildcards) for scan in scans[session].values()]
    return list(map(copy_of, paths)) if raw_folder(wildcards) else paths


def raw_pictures(wildcards):
    """Pictures of a patient in the order of the contrasts."""
    return raw(RAW_SCANS[wildcards.dataset][wildcards.patient].values())


def truth_folder(wildcards):
    """Folder of a virtual patient's truth, or of a batch's; nothing for real ones."""
    return truth_of(wildcards.dataset, patient_of(unit_of(wildcards)))


def truth_of(dataset, unit):
    if kind_of(DATASETS[dataset]) != "virtual":
        return []
    return f"results/simulate/{dataset}/derivatives/truth/{unit}"


def experiment_truth(wildcards):
    """Truth of all patients of an experiment's dataset; nothing for real ones."""
    dataset = EXPERIMENTS[wildcards.experiment]["dataset"]
    folders = [truth_of(dataset, unit) for unit in patient_units(dataset)]
    return [folder for folder in folders if folder]


def tissue_source(wildcards):
    """What the segmentation reads: the truth, each session's dseg of the BIDS derivatives, or
    nothing."""
    dataset = DATASETS[wildcards.dataset]
    method = dataset["segment"]["tissues"]
    if method == "truth":
        return truth_folder(wildcards)
    if method in ("dseg", "wmparc") and "bids" in dataset:
        return raw(dseg_of(wildcards.dataset, session) for session in sessions_in(wildcards))
    return []


def dseg_of(dataset, session):
    root, tissues = DATASETS[dataset]["bids"]["root"], DATASETS[dataset]["segment"]["tissues"]
    found = find_dseg(root, session, tissues == "wmparc")
    if found is None:
        raise WorkflowError(
            f"{session} has no *_dseg.nii.gz under {root}/derivatives: add it, exclude the "
            f"session, or set datasets.{dataset}.segment.tissues to atropos."
        )
    return str(found)


def named(option, function):
    """A command-line option with what an input function gives (one file or several), or nothing."""

    def argument(wildcards):
        value = function(wildcards)
        files = " ".join(map(copy_of, [value] if isinstance(value, str) else value))
        return f"{option} {files}" if files else ""

    return argument


def tissue_argument(wildcards):
    option = {"truth": "--truth", "dseg": "--dseg", "wmparc": "--dseg"}
    method = DATASETS[wildcards.dataset]["segment"]["tissues"]
    return named(option.get(method, ""), tissue_source)(wildcards)


def per_session(stage):
    """Input function: a stage's results for all sessions of a patient, or of a batch."""

    def files(wildcards):
        return [
            f"results/{stage}/{wildcards.dataset}/{unit}"
            for unit in sessions_of_unit(wildcards.dataset, wildcards.patient)
        ]

    return files


def experiment_slices(wildcards):
    """The slice stores of all patients of an experiment's dataset."""
    return slices_of(EXPERIMENTS[wildcards.experiment]["dataset"])


def slices_of(dataset):
    return [f"results/slices/{dataset}/{unit}" for unit in patient_units(dataset)]


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


def experiment_quality(wildcards):
    """What is known of how the sessions of an experiment's dataset were prepared."""
    return quality_of(EXPERIMENTS[wildcards.experiment]["dataset"])


def quality_of(dataset):
    return [f"results/quality/{dataset}/{unit}" for unit in session_units(dataset)]


def experiment_maps(wildcards):
    """Folders of the least-squares maps of all patients of an experiment's dataset."""
    return maps_of(EXPERIMENTS[wildcards.experiment]["dataset"])


def maps_of(dataset):
    if not DATASETS[dataset]["fit_maps"]["activate"]:
        return []
    return [f"results/fit_maps/{dataset}/{unit}" for unit in patient_units(dataset)]


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
    return [folder for dataset in SCANNED_DATASETS for folder in quality_of(dataset)]


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
        for part in [*patient_units(name), "dataset_description.json"]
    ]


def dicom_folders(wildcards):
    """Folders of DICOM files of a job's patients."""
    folders = find_patients(DATASETS[wildcards.dataset]["dicom"]["root"])
    return raw(folders[patient] for patient in sessions_in(wildcards))


def all_patients():
    """Tables of the patients of all datasets that are looked at."""
    return [f"results/patients/{dataset}.json" for dataset in USED_DATASETS]


def split_patients(wildcards):
    return f"results/patients/{EXPERIMENTS[wildcards.experiment]['dataset']}.json"
