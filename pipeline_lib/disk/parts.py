"""What each stage writes, in bytes; standard library only.

The sizes below are measured (docs/disk.md says on what). Logs, benchmark files, the split and the
draws are left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline_lib.checks import kind_of
from pipeline_lib.disk.data import Data
from pipeline_lib.disk.weights import checkpoint_bytes, weight_bytes
from pipeline_lib.experiments import fold_count, pairs_on, trainings
from pipeline_lib.sizes import predicted_patients

# Bytes a voxel in .nii.gz: a smooth field, the same 1 everywhere, a mask, labels, maps of tissues
# in the whole body (truth) and in the segmented tissues alone (fitted).
FIELD, ONES, MASK, LABELS, TRUTH_MAP, FITTED_MAP = 3.2, 0.02, 0.03, 0.15, 2.0, 1.25
WARP = 3 * 2.6  # three numbers a voxel
IN_STORE, IN_PREDICTION = 4, 2  # bytes a pixel: float32 and float16
PICTURE = 210_000
# A patient, pair and method has some 46 scores: in Parquet, as lines of metrics.csv or summary.csv.
SCORES, LINES, TABLE = 400, 6_000, 12_000
BASELINES = 7
REPORT = 1_000_000
PARAMETERS = 3  # PD, T1, T2

# What nobody reads once the results are there, and what can be made again from the raw scans.
INTERMEDIATE = frozenset({"simulate", "convert_dicom", "correct_bias", "register", "segment"})


@dataclass(frozen=True)
class Part:
    """What one stage writes into one folder.

    Attributes
    ----------
    stage
        Name of the rule; the truth and the checkpoints, which are kept otherwise than the rest of
        what `simulate` and `train` write, have a name of their own.
    folder
        Below `results/`; it gets an entry for each patient, session, batch of them, or fold.
    entries
        How many.
    size
        Bytes of all of them together.
    """

    stage: str
    folder: str
    entries: int
    size: float

    @property
    def is_intermediate(self) -> bool:
        """Whether `keep_intermediate: false` makes these files temporary."""
        return self.stage in INTERMEDIATE


def parts_of(configuration: Mapping[str, Any], data: Mapping[str, Data]) -> list[Part]:
    """Say what a configuration writes, stage by stage.

    Parameters
    ----------
    configuration
        The complete one.
    data
        Of each dataset that its experiments use.

    Returns
    -------
        In the order of the stages; one that writes nothing is left out.
    """
    found = [part for each in data.values() for part in _dataset_parts(each)]
    for name, experiment in configuration["experiments"].items():
        found += _training_parts(name, experiment, configuration["models"], data)
    for name, experiment in configuration["experiments"].items():
        found += _evaluation_parts(name, experiment, configuration["models"], data)
    scored = [part for part in found if part.stage.startswith("evaluate")]
    lines = sum(
        _units(experiment, configuration["models"], data)
        for experiment in configuration["experiments"].values()
    )
    if scored:
        found.append(Part("evaluation", "evaluation", 8, LINES * lines))
    found.append(Part("report", "report.html", 1, REPORT * len(configuration["experiments"])))
    return [part for part in found if part.size > 0]


def _dataset_parts(of: Data) -> Iterator[Part]:
    kind, count = kind_of(of.dataset), len(of.contrasts)
    if kind != "pictures":
        yield from _scan_parts(of, kind)

        def part(stage: str, size: float) -> Part:
            return Part(stage, f"{stage}/{of.name}", of.session_units, of.sessions * size)

        corrects, transform = of.dataset["correct_bias"]["activate"], of.dataset["register"]
        field = FIELD if corrects else ONES
        yield part("check_scans", 300 * count)
        yield part("correct_bias", of.voxels * (of.corrected + field + MASK))
        warps = WARP * (count - 1) if transform["transform"] == "syn" else 0
        rows = 50_000 + 115_000 * min(count - 1, 6)  # of the picture, one a contrast
        yield part("register", of.grid * (of.corrected * count + warps) + rows)
        yield part("segment", of.grid * LABELS + PICTURE)
        yield part("quality", rows + 2 * PICTURE)  # the pictures of both, and of correct_bias
        yield Part("scale", f"scale/{of.name}", of.patient_units, 100 * of.patients)
    store = of.sessions * of.pixels * (IN_STORE * count + 2)
    yield Part("slices", f"slices/{of.name}", of.patient_units, store)
    if kind != "pictures" and of.dataset["fit_maps"]["activate"]:
        # Of three contrasts nothing is left over that a bound could be taken from.
        bounded = count > PARAMETERS or of.dataset["fit_maps"]["noise"] is not None
        maps = FITTED_MAP * (2 * PARAMETERS + 1 if bounded else PARAMETERS + 1.5)
        size = of.sessions * of.grid * (maps + 2 * LABELS)
        yield Part("fit_maps", f"fit_maps/{of.name}", of.patient_units, size)


def _scan_parts(of: Data, kind: str) -> Iterator[Part]:
    """Raw scans where the workflow makes them, and the truth about virtual ones."""
    raw = of.sessions * of.voxels * of.raw
    if kind == "dicom":
        yield Part("convert_dicom", f"convert_dicom/{of.name}", of.session_units, raw)
    elif kind == "virtual":
        virtual = of.dataset["virtual"]
        yield Part("simulate", f"simulate/{of.name}", of.session_units, raw)
        fields = sum(
            FIELD if virtual[name] > 0 else ONES for name in ("bias_field", "b1_field", "b0_field")
        )
        truth = of.sessions * of.grid * (PARAMETERS * TRUTH_MAP + LABELS + fields)
        folder = f"simulate/{of.name}/derivatives/truth"
        yield Part("simulate (truth)", folder, of.session_units, truth)


def _training_parts(
    name: str, experiment: Mapping[str, Any], models: Mapping[str, Any], data: Mapping[str, Data]
) -> Iterator[Part]:
    of, folds = data[experiment["dataset"]], fold_count(experiment)
    validated, count = bool(experiment["split"].get("validation")), len(of.contrasts)
    tested = predicted_patients(experiment["split"], of.patients)
    for training, pairs in trainings(experiment, models).items():
        model, place = models[training.partition(".")[0]], f"{name}/{training}"
        weights = folds * weight_bytes(model, count)
        yield Part("train", f"train/{place}", folds, weights)
        kept = folds * checkpoint_bytes(model, count, validated)
        yield Part("train (checkpoints)", f"checkpoints/{place}", folds, kept)
        images = folds * _images(of, tested, model, pairs)
        yield Part("predict", f"predict/{place}", folds, images)
        for dataset in experiment["external"]:
            other = data[dataset]
            asked = pairs_on(experiment, dataset, other.contrasts)
            size = folds * _images(other, other.patients, model, asked)
            yield Part("predict_external", f"predict_external/{dataset}/{place}", folds, size)


def _images(of: Data, patients: int, model: Mapping[str, Any], pairs: list[list[str]]) -> float:
    """Bytes of what a model predicts of some patients: images, and maps where it has any."""
    maps = PARAMETERS if model["system"].startswith("simko") else 0
    number = len(pairs) + maps * len({source for source, _ in pairs})
    return patients * of.sessions / max(1, of.patients) * of.pixels * number * IN_PREDICTION


def _evaluation_parts(
    name: str, experiment: Mapping[str, Any], models: Mapping[str, Any], data: Mapping[str, Data]
) -> Iterator[Part]:
    folds, names = fold_count(experiment), trainings(experiment, models)
    for dataset, tested in _tested(experiment, data).items():
        own = dataset == experiment["dataset"]
        ending, place = ("", name) if own else ("_external", f"{dataset}/{name}")
        pairs = pairs_on(experiment, dataset, data[dataset].contrasts)
        for training, learnt in names.items():
            units = tested * len(learnt if own else pairs)
            size = folds * (TABLE + SCORES * units)
            yield Part(f"evaluate{ending}", f"evaluate{ending}/{place}/{training}", folds, size)
        size = folds * (TABLE + BASELINES * SCORES * tested * len(pairs))
        stage = f"evaluate_baselines{ending}"
        yield Part(stage, f"{stage}/{place}", folds, size)


def _tested(experiment: Mapping[str, Any], data: Mapping[str, Data]) -> dict[str, int]:
    """Patients that a fold is tested on, of each dataset."""
    own = experiment["dataset"]
    found = {own: predicted_patients(experiment["split"], data[own].patients)}
    return found | {name: data[name].patients for name in experiment["external"]}


def _units(
    experiment: Mapping[str, Any], models: Mapping[str, Any], data: Mapping[str, Data]
) -> int:
    """Patients, pairs and methods that are scored; a pair's mean counts as one patient more."""
    methods = BASELINES + len(experiment["models"])
    folds = fold_count(experiment)
    return sum(
        (folds * tested + 1) * methods * len(pairs_on(experiment, name, data[name].contrasts))
        for name, tested in _tested(experiment, data).items()
    )


def sizes_by_stage(parts: Iterable[Part]) -> dict[str, float]:
    """Add the bytes of each stage, in the order of the stages."""
    sizes: dict[str, float] = {}
    for part in parts:
        sizes[part.stage] = sizes.get(part.stage, 0) + part.size
    return sizes
