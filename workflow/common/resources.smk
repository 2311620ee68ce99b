# What a job is given. It follows from its size, in millions of voxels: of the configuration, and of
# the headers of a first session.

# Two more Snakemakes run beside the command of a cluster job.
SNAKEMAKES_MB = 400
LEAST_MB = 1000


@cache
def shape_of(dataset):
    sessions = RAW_SCANS[dataset].values()
    return scan_shape(DATASETS[dataset], map(Path, next(iter(sessions), {}).values()))


def patients_in(wildcards):
    """Number of patients of a job of a batch; 1 for the others."""
    unit = unit_of(wildcards)
    return len(batches_of(wildcards.dataset)[unit]) if unit and is_batch(unit) else 1


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
    sessions = math.ceil(len(RAW_SCANS[dataset]) / max(1, len(patients_of(dataset))))
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
    patients = len(patients_of(dataset))
    if dataset == experiment["dataset"]:
        patients = predicted_patients(experiment["split"], patients)
    return prediction_size(wildcards) * patients


def evaluation_size(wildcards):
    """Of a patient's slices and what is predicted of them, which is held in fewer copies."""
    return store_size(wildcards) + 0.2 * prediction_size(wildcards)


def baselines_size(wildcards):
    """As `evaluation_size`, and what the search for the nearest image holds of each training slice:
    1,024 means of blocks a contrast, of 8,192 slices at most (as much memory as 75 voxels each)."""
    dataset = DATASETS[dataset_of(wildcards)]
    stored = stored_pixels(dataset, shape_of(dataset_of(wildcards))) / slice_pixels(dataset)
    searched = min(stored * len(RAW_SCANS[dataset_of(wildcards)]), 8192)
    return evaluation_size(wildcards) + 7.5e-5 * searched * len(dataset["contrasts"])


def memory(megabytes, size=None, each=0):
    """Memory: a stage's own, and so much for each million voxels. It doubles with every retry
    (the retries themselves stand in the profile)."""

    def mem_mb(wildcards, attempt):
        needed = megabytes + (each * size(wildcards) if size else 0) + SNAKEMAKES_MB
        return max(LEAST_MB, math.ceil(needed / 500) * 500) * 2 ** (attempt - 1)

    return mem_mb


def minutes(least, size=None, each=0):
    """Time: a stage's own, and so many minutes for each million voxels of each patient; it doubles
    as well."""

    def runtime(wildcards, attempt):
        needed = least + (each * size(wildcards) * patients_in(wildcards) if size else 0)
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
