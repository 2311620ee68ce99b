"""What a schema can't say of a configuration: whether its sections fit each other."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.signal.sequences import Sequence

ONE_PAIR = ("alkan", "pgan", "ptnet", "resvit")
KINDS = ("virtual", "bids", "dicom", "pictures")
# Times the spacing; the virtual anatomy ends one spacing beyond the scan.
THICKEST_SLICE = 3


def listed(words: Iterable[Any]) -> str:
    """Write words one after the other."""
    return ", ".join(str(word) for word in words)


def kind_of(dataset: Mapping[str, Any]) -> str:
    """Say where a dataset's images come from: `virtual`, `bids`, `dicom` or `pictures`."""
    return next(kind for kind in KINDS if kind in dataset)


def dataset_problems(datasets: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each problem of a dataset; fills in where tissues come from."""
    for name, dataset in datasets.items():
        here = f"datasets.{name}"
        given = [kind for kind in KINDS if kind in dataset]
        if len(given) != 1:
            said = listed(given) if given else "none"
            yield f"{here} needs exactly one of {listed(KINDS)}; it has {said}."
            continue
        contrasts = dataset["contrasts"]
        if dataset["reference"] not in contrasts:
            yield (
                f"{here}.reference is '{dataset['reference']}'; allowed are its contrasts: "
                f"{listed(contrasts)}{did_you_mean(dataset['reference'], contrasts)}."
            )
        yield from _contrast_problems(here, given[0], contrasts)
        yield from _segment_problems(here, given[0], dataset["segment"])
        yield from _fit_problems(f"{here}.fit_maps", dataset["fit_maps"], contrasts)
        if "virtual" in dataset:
            yield from _virtual_problems(f"{here}.virtual", dataset["virtual"], contrasts)


def _contrast_problems(here: str, kind: str, contrasts: Mapping[str, Any]) -> Iterator[str]:
    for contrast, values in contrasts.items():
        if kind == "dicom" and "series" not in values:
            yield f"{here}.contrasts.{contrast} lacks series, the pattern of its series' name."
        if kind == "pictures" and "file" not in values:
            yield f"{here}.contrasts.{contrast} lacks file, the name of its picture."
        if kind in ("bids", "dicom") and not {"te", "tr"} <= values.keys():
            continue  # the sidecar will say
        try:
            Sequence.from_mapping(values)
        except InputError as error:
            yield f"{here}.contrasts.{contrast}: {error}."


def _virtual_problems(
    here: str, virtual: Mapping[str, Any], contrasts: Mapping[str, Any]
) -> Iterator[str]:
    if virtual["anatomy"] == "mrilab" and not virtual["label_file"]:
        yield f"{here}.label_file is not set; mrilab needs the path of BrainModel.mat."
    yield from _equation_problems(here, virtual, contrasts)
    if virtual["b0_field"] > 0 and virtual["bandwidth"] is None:
        yield (
            f"{here}.b0_field is {virtual['b0_field']}, but how far that pushes a voxel depends on "
            "the bandwidth, which is not set; give it in Hz a pixel."
        )
    thickness, spacing = virtual["slice_thickness"], virtual["spacing"][2]
    if thickness is not None and thickness > THICKEST_SLICE * spacing:
        yield (
            f"{here}.slice_thickness is {thickness} mm; it must be at most {THICKEST_SLICE} times "
            f"the {spacing} mm between slices, {THICKEST_SLICE * spacing:g} mm."
        )


def _equation_problems(
    here: str, virtual: Mapping[str, Any], contrasts: Mapping[str, Any]
) -> Iterator[str]:
    form = virtual["signal"]
    for contrast, values in contrasts.items():
        if form == "simko" and values.get("ti") is not None:
            yield (
                f"{here}.signal is 'simko', an equation without inversion pulse, but "
                f"contrasts.{contrast} has a ti; set signal to exact."
            )
        if form != "epg" and values.get("refocusing", 180) < 180:
            yield (
                f"{here}.signal is '{form}', an equation of 180 degree pulses, but refocusing of "
                f"contrasts.{contrast} is {values['refocusing']}; set signal to epg."
            )
        if form == "epg" and values.get("sequence", "").endswith("FSE") and "echoes" not in values:
            yield (
                f"{here}.signal is 'epg', which follows a train echo by echo, but "
                f"contrasts.{contrast} lacks echoes, their number."
            )
    if form != "epg" and virtual["b1_field"] > 0:
        yield (
            f"{here}.signal is '{form}', an equation of exact flip angles, but b1_field is "
            f"{virtual['b1_field']}; set signal to epg."
        )


def _segment_problems(here: str, kind: str, segment: dict[str, Any]) -> Iterator[str]:
    own = {"virtual": "truth", "pictures": "none"}
    segment.setdefault("tissues", own.get(kind, "atropos"))
    if segment["tissues"] == "truth" and kind != "virtual":
        yield (
            f"{here}.segment.tissues is 'truth', which only virtual patients have; "
            "allowed: dseg, wmparc, atropos, none."
        )


def _fit_problems(here: str, fit: Mapping[str, Any], contrasts: Iterable[str]) -> Iterator[str]:
    for name in fit["gains"]:
        if name not in contrasts:
            yield (
                f"{here}.gains names '{name}'; allowed are the contrasts: {listed(contrasts)}"
                f"{did_you_mean(name, contrasts)}."
            )
    if fit["rician"] and fit["noise"] is None:
        yield f"{here}.rician needs noise, its standard deviation in the unit of the raw scans."


def experiment_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each problem of an experiment alone."""
    datasets, models = config["datasets"], config["models"]
    for name, experiment in config["experiments"].items():
        here = f"experiments.{name}"
        dataset = experiment["dataset"]
        if dataset not in datasets:
            yield (
                f"{here}.dataset is '{dataset}'; allowed are the datasets: {listed(datasets)}"
                f"{did_you_mean(dataset, datasets)}."
            )
        for model in experiment["models"]:
            if model not in models:
                yield (
                    f"{here}.models names '{model}'; allowed are the models: {listed(models)}"
                    f"{did_you_mean(model, models)}."
                )
        if dataset in datasets:
            yield from _pair_problems(here, experiment, list(datasets[dataset]["contrasts"]))
        for other in experiment["external"]:
            if other not in datasets:
                yield (
                    f"{here}.external names '{other}'; allowed are the datasets: "
                    f"{listed(datasets)}{did_you_mean(other, datasets)}."
                )
        yield from _split_problems(f"{here}.split", experiment["split"])


def _pair_problems(here: str, experiment: Mapping[str, Any], contrasts: list[str]) -> Iterator[str]:
    named = [("pairs", name) for pair in experiment["pairs"] for name in pair]
    for key, name in dict.fromkeys([*named, *(("unseen", name) for name in experiment["unseen"])]):
        if name not in contrasts:
            yield (
                f"{here}.{key} names '{name}'; allowed are the contrasts: {listed(contrasts)}"
                f"{did_you_mean(name, contrasts)}."
            )
    if len(set(contrasts) - set(experiment["unseen"])) < 2:
        yield f"{here}.unseen leaves less than two contrasts to train on."


def _split_problems(here: str, split: Mapping[str, Any]) -> Iterator[str]:
    validation, test, train = split.get("validation", 0), split.get("test"), split.get("train")
    if "leaked" in split:
        others = [key for key in ("folds", "validation", "test", "seen") if key in split]
        if others or not isinstance(train, float) or not 0 < train < 1:
            yield (
                f"{here} is leaked, so it takes train, the share of the images to train on (more "
                "than 0, less than 1), besides only patients."
            )
    elif "patients" in split:
        yield f"{here}.patients is for a leaked split; exclude patients from their dataset."
    elif "folds" in split:
        if "train" in split or test is not None or isinstance(validation, list):
            yield (
                f"{here} has folds, so it takes besides only validation and seen, numbers of "
                "patients."
            )
    elif isinstance(train, list):
        if not isinstance(test, list) or not isinstance(split.get("validation", []), list):
            yield f"{here} lists the patients of train, so test and validation must be lists too."
    elif not all(isinstance(number, int) for number in (test, validation, train or 0)):
        yield (
            f"{here} needs folds; or train and test (and validation) as lists of patients; "
            "or test (and validation, train) as numbers of patients to draw."
        )


def model_in_experiment_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each model that can't do what its experiment asks."""
    for name, experiment in config["experiments"].items():
        for model in (config["models"][model] for model in experiment["models"]):
            default = model.get("default_source")
            others = [pair for pair in experiment["pairs"] if default and pair[0] != default]
            if others:
                yield (
                    f"models.{model['name']}.default_source is {default}, but experiments.{name} "
                    f"has other sources ({others[0][0]}); give the experiment its pairs."
                )
            if not transfers_one_pair(model):
                continue
            unseen = [pair for pair in experiment["pairs"] if set(pair) & set(experiment["unseen"])]
            if unseen:
                yield (
                    f"models.{model['name']} learns each pair for itself, so experiments.{name} "
                    f"can't ask it for the unseen contrasts of {' to '.join(unseen[0])}."
                )
            if experiment["external"]:
                yield (
                    f"models.{model['name']} learns each pair for itself, so experiments.{name} "
                    "can't test it on other datasets; take `external` or the model away."
                )


def transfers_one_pair(model: Mapping[str, Any]) -> bool:
    """Tell whether a model is trained anew for each pair of contrasts; it is not told TE and TR."""
    return model["system"] in ONE_PAIR or model.get("conditioned") is False
