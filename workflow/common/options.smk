# Settings and code that a rule depends on.


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
    return trainings_of(EXPERIMENTS[experiment], MODELS)


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
    experiment = EXPERIMENTS[wildcards.experiment]
    split = {key: value for key, value in experiment["split"].items() if key != "seen"}
    patients = patients_of(experiment["dataset"])
    return as_options(patients=patients, split=split, seed=CONFIGURATION["seed"])


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
    return pairs_of(EXPERIMENTS[experiment], dataset, list(DATASETS[dataset]["contrasts"]))


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
    split = EXPERIMENTS[wildcards.experiment]["split"]
    return as_options(split=split, seed=CONFIGURATION["seed"])


def report_options():
    return as_options(
        seed=CONFIGURATION["seed"],
        configuration=CONFIGURATION,
        datasets={
            name: {
                "kind": kind_of(DATASETS[name]),
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
