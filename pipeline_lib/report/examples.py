"""Example slices: source, target, predictions, errors and maps, of patients chosen by rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.report.brief import number
from pipeline_lib.report.collect import Predictions, Results
from pipeline_lib.report.figures import Bar, colour_bar, image_uri
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.verdict import metric_of, per_patient
from pipeline_lib.slices.store import PatientSlices

ERROR_COLORMAP = "magma"
MAP_COLORMAPS = {"pd": "gray", "t1": "viridis", "t2": "cividis"}
MAP_UNITS = {"pd": "PD (water = 1)", "t1": "T1 (s)", "t2": "T2 (s)"}


@dataclass(frozen=True)
class Panel:
    """One picture with its caption."""

    caption: str
    uri: str
    alt: str


@dataclass(frozen=True)
class Example:
    """Pictures of one slice that share their colour bars."""

    heading: str
    why: str
    panels: tuple[Panel, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Choice:
    """A patient with the fold that tests it, and the words for why it was chosen."""

    patient: str
    fold: int
    why: str


def choose_patients(metrics: pd.DataFrame, experiment: str, models: Sequence[str]) -> list[Choice]:
    """Choose the median and the worst test patient by the learned systems' mean NRMSE.

    Of an even number of patients the lower of the two in the middle is the median; names break
    ties, so that the choice is the same in every run.
    """
    table = per_patient(metrics, experiment, "nrmse")
    known = [model for model in models if model in table]
    means = table[known].mean(axis=1).dropna() if known else pd.Series(dtype=float)
    ranked = sorted(means.index, key=lambda patient: (means[patient], patient))
    if not ranked:
        return []
    rows = metrics[(metrics["experiment"] == experiment) & metrics["model"].isin(known)]
    folds = rows.groupby("patient")["fold"].min()
    middle, last = ranked[(len(ranked) - 1) // 2], ranked[-1]
    chosen = [Choice(middle, int(folds[middle]), "median patient by NRMSE")]
    if last != middle:
        chosen.append(Choice(last, int(folds[last]), "worst patient by NRMSE"))
    elif len(ranked) == 1:
        chosen = [Choice(middle, int(folds[middle]), "the only test patient")]
    return chosen


def choose_pairs(
    metrics: pd.DataFrame, experiment: str, models: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Choose the easiest, the median and the hardest pair by the learned systems' mean NRMSE."""
    rows = metrics[
        (metrics["experiment"] == experiment)
        & (metrics["metric"] == "nrmse")
        & (metrics["region"] == "body")
        & (metrics["source"] != metrics["target"])
        & metrics["model"].isin(models)
    ]
    means = rows.groupby(["source", "target"])["value"].mean().dropna()
    ranked = sorted(means.index, key=lambda pair: (means[pair], pair))
    if not ranked:
        return []
    places = {0: "easiest", (len(ranked) - 1) // 2: "median", len(ranked) - 1: "hardest"}
    if len(ranked) < 3:
        places = dict.fromkeys(range(len(ranked)), "")
    return [
        (*ranked[place], f"{word} pair by NRMSE" if word else "")
        for place, word in sorted(places.items())
    ]


def transfer_examples(
    results: Results, experiment: Experiment, metrics: pd.DataFrame
) -> list[Example]:
    """Show three pairs of the median patient, and the median pair of the worst patient."""
    pairs = choose_pairs(metrics, experiment.name, experiment.models)
    examples = []
    for number_of, choice in enumerate(
        choose_patients(metrics, experiment.name, experiment.models)
    ):
        slices = results.slices(experiment.dataset, choice.patient)
        predictions = _predictions(results, experiment, choice)
        if slices is None or not predictions:
            continue
        shown = pairs if number_of == 0 else pairs[(len(pairs) - 1) // 2 :][:1]
        for source, target, why in shown:
            example = _transfer(slices, predictions, choice, source, target, metrics, experiment)
            if example:
                words = f"{choice.why}; {why}" if why else choice.why
                examples.append(Example(example.heading, words, example.panels, example.bars))
    return examples


def _predictions(
    results: Results, experiment: Experiment, choice: Choice
) -> dict[str, Predictions]:
    found = {
        model: results.predictions(experiment, model, choice.fold) for model in experiment.models
    }
    return {
        model: made
        for model, made in found.items()
        if made is not None and (made.index["patient"] == choice.patient).any()
    }


def middle_slice(predictions: Predictions, patient: str) -> tuple[int, int]:
    """Row of the predictions and position in the patient's store of the middle slice.

    Of a patient with several sessions, the middle of the first session.
    """
    rows = predictions.index[predictions.index["patient"] == patient]
    rows = rows[rows["session"] == rows["session"].iloc[0]]
    middle = rows.iloc[len(rows) // 2]
    return int(middle.name), int(middle["slice"])


def _transfer(
    slices: PatientSlices,
    predictions: Mapping[str, Predictions],
    choice: Choice,
    source: str,
    target: str,
    metrics: pd.DataFrame,
    experiment: Experiment,
) -> Example | None:
    names = list(slices.contrasts)
    first = next(iter(predictions.values()))
    if source not in names or target not in names:
        return None
    _, position = middle_slice(first, choice.patient)
    body = np.asarray(slices.body[position])
    images = np.asarray(slices.images[position], dtype=np.float32)
    before, after = images[names.index(source)], images[names.index(target)]
    window = _window(after, body)
    made = {}
    for model, prediction in predictions.items():
        if not {source, target} <= set(prediction.contrasts):
            continue
        row, _ = middle_slice(prediction, choice.patient)
        at = prediction.contrasts.index(source), prediction.contrasts.index(target)
        made[model] = np.asarray(prediction.images[row, at[0], at[1]], dtype=np.float32)
    errors = {model: np.abs(image - after) for model, image in made.items()}
    largest = max((_window(error, body) for error in errors.values()), default=1.0)
    values = _values(metrics, experiment.name, choice.patient, source, target)
    where = f"{choice.patient}, slice {slices.indices[position]}"
    panels = [
        Panel(
            f"Source {source}",
            image_uri(before, _window(before, body), spacing=slices.spacing),
            f"Source image {source} of {where}",
        ),
        Panel(
            f"Target {target}",
            image_uri(after, window, spacing=slices.spacing),
            f"Acquired target image {target} of {where}",
        ),
    ]
    for model, image in made.items():
        score = f" (NRMSE {number(values[model], 3)})" if model in values else ""
        panels += [
            Panel(
                f"{model}{score}",
                image_uri(image, window, spacing=slices.spacing),
                f"{target} predicted by {model} from {source} of {where}",
            ),
            Panel(
                f"Error of {model}",
                image_uri(errors[model], largest, ERROR_COLORMAP, body, slices.spacing),
                f"Absolute error of {model}, {source} to {target}, {where}, from 0 (dark) to "
                f"{largest:.2g} (bright)",
            ),
        ]
    bars = (
        colour_bar("gray", "0", f"{window:.2g}", f"{target}, patient's scale"),
        colour_bar(ERROR_COLORMAP, "0", f"{largest:.2g}", "absolute error, same scale"),
    )
    return Example(f"{source} → {target}, {where}", "", tuple(panels), bars)


def _window(image: np.ndarray, inside: np.ndarray) -> float:
    values = image[(inside > 0) & np.isfinite(image)]
    return max(float(np.percentile(values, 99.5)), 1e-6) if values.size else 1.0


def _values(
    metrics: pd.DataFrame, experiment: str, patient: str, source: str, target: str
) -> dict[str, float]:
    rows = metrics[
        (metrics["experiment"] == experiment)
        & (metrics["patient"] == patient)
        & (metrics["source"] == source)
        & (metrics["target"] == target)
        & (metrics["region"] == "body")
        & (metrics["metric"] == metric_of("nrmse").name.lower())
    ]
    return dict(zip(rows["model"], rows["value"], strict=True))


def map_examples(results: Results, experiment: Experiment, metrics: pd.DataFrame) -> list[Example]:
    """Show PD, T1 and T2 of the median patient: least squares, and each model that has maps.

    Models' maps are those from the reference contrast, or from the first where a model has it not.
    """
    dataset = experiment.dataset
    choices = choose_patients(metrics, experiment.name, experiment.models)
    if not choices:
        return []
    choice = choices[0]
    slices = results.slices(dataset, choice.patient)
    predictions = _predictions(results, experiment, choice)
    if slices is None or not predictions:
        return []
    _, position = middle_slice(next(iter(predictions.values())), choice.patient)
    maps: dict[str, dict[str, np.ndarray]] = {}
    fitted = results.fitted_maps(dataset, choice.patient)
    if fitted:
        maps["Least squares, all contrasts"] = {
            name: np.asarray(values[position]) for name, values in fitted.items()
        }
    for model, prediction in predictions.items():
        if prediction.maps is None:
            continue
        row, _ = middle_slice(prediction, choice.patient)
        source = (
            dataset.reference
            if dataset.reference in prediction.contrasts
            else (prediction.contrasts[0])
        )
        at = prediction.contrasts.index(source)
        maps[f"{model}, from {source}"] = {
            name: np.asarray(prediction.maps[row, at, i]) for i, name in enumerate(MAP_UNITS)
        }
    where = f"{choice.patient}, slice {slices.indices[position]}"
    body = np.asarray(slices.body[position])
    examples = (_maps(name, maps, body, slices.spacing, where, choice.why) for name in MAP_UNITS)
    return [example for example in examples if example.panels]


def _maps(
    name: str,
    maps: Mapping[str, Mapping[str, np.ndarray]],
    body: np.ndarray,
    spacing: tuple[float, float],
    where: str,
    why: str,
) -> Example:
    shown = {
        origin: values[name].astype(np.float32) for origin, values in maps.items() if name in values
    }
    # The first one (least squares where there is one) sets the window of all.
    first = next(iter(shown.values()), np.zeros_like(body, dtype=np.float32))
    high = _window(first, (body > 0) & (first > 0))
    unit = MAP_UNITS[name]
    panels = tuple(
        Panel(
            origin,
            image_uri(values, high, MAP_COLORMAPS[name], body, spacing),
            f"Map of {unit} by {origin}, {where}, from 0 to {high:.2g}",
        )
        for origin, values in shown.items()
    )
    bar = colour_bar(MAP_COLORMAPS[name], "0", f"{high:.2g}", unit)
    return Example(f"{unit}, {where}", why, panels, (bar,))
