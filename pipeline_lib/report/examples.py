"""Example slices: source, target, predictions, errors and maps, of patients chosen by rule."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import pandas as pd

from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.report.choices import Choice, choose_pairs, choose_patients
from pipeline_lib.report.collect import Results
from pipeline_lib.report.figures import colour_bar, image_uri
from pipeline_lib.report.numbers import number
from pipeline_lib.report.panels import (
    Example,
    Panel,
    around,
    held_out_slices,
    middle_slice,
    predictions_of,
    window_of,
)
from pipeline_lib.report.request import Experiment
from pipeline_lib.slices.store import PatientSlices

ERROR_COLORMAP = "magma"
MAP_COLORMAPS = {"PD": "gray", "T1": "viridis", "T2": "cividis"}
MAP_UNITS = {"PD": "PD (water = 1)", "T1": "T1 (s)", "T2": "T2 (s)"}


def transfer_examples(
    results: Results, experiment: Experiment, metrics: pd.DataFrame
) -> list[Example]:
    """Show three pairs of the median patient, and the median pair of the worst patient.

    Of a leaked split, whose pictures show nothing of what a system does with a new patient, the
    median pair of the median patient alone.

    Parameters
    ----------
    metrics
        Those of the test, as from `collect.Evaluated.tested`.
    """
    pairs = choose_pairs(metrics, experiment.name, experiment.models)
    middle = pairs[(len(pairs) - 1) // 2 :][:1]
    examples = []
    split = results.split(experiment)
    choices = choose_patients(metrics, experiment.name, experiment.models)
    for place, choice in enumerate(choices[:1] if experiment.leaked else choices):
        slices = results.slices(experiment.dataset, choice.patient)
        predictions = predictions_of(results, experiment, choice)
        if slices is None or not predictions:
            continue
        shown = pairs if place == 0 and not experiment.leaked else middle
        for source, target, rank in shown:
            why = f"{choice.why}; {rank}" if rank else choice.why
            values = _values(metrics, experiment.name, choice.patient, source, target)
            tested = held_out_slices(split, choice, (source, target))
            example = _transfer(slices, predictions, choice, (source, target), why, values, tested)
            if example:
                examples.append(example)
    return examples


def _transfer(
    slices: PatientSlices,
    predictions: Mapping[str, Iterable[Predictions]],
    choice: Choice,
    pair: tuple[str, str],
    why: str,
    values: Mapping[str, float],
    tested: Collection[int] | None,
) -> Example | None:
    """Show one pair of a patient; `values` are the NRMSE of the models for it."""
    of_pair = {
        model: held
        for model, made in predictions.items()
        if (held := next((each for each in made if pair in each.pairs), None)) is not None
    }
    if not of_pair or not set(pair) <= set(slices.contrasts):
        return None
    source, target = pair
    names = list(slices.contrasts)
    _, position = middle_slice(next(iter(of_pair.values())), choice.patient, tested)
    cut = around(slices.body[position])
    body = np.asarray(slices.body[position][cut])
    images = np.asarray(slices.images[position][:, *cut], dtype=np.float32)
    before, after = images[names.index(source)], images[names.index(target)]
    window = window_of(after, body)
    made = {}
    for model, held in of_pair.items():
        row, _ = middle_slice(held, choice.patient, tested)
        values_of_pair = held.values[row, held.pairs.index(pair)]
        made[model] = np.asarray(values_of_pair[cut], dtype=np.float32)
    errors = {model: np.abs(image - after) for model, image in made.items()}
    largest = max(window_of(error, body) for error in errors.values())
    where = f"{choice.patient}, slice {slices.indices[position]}"
    groups = [
        (
            Panel(
                f"Source {source}",
                image_uri(before, window_of(before, body), spacing=slices.spacing),
                f"Source image {source} of {where}",
            ),
            Panel(
                f"Target {target}",
                image_uri(after, window, spacing=slices.spacing),
                f"Acquired target image {target} of {where}",
            ),
        )
    ]
    for model, image in made.items():
        score = f" (NRMSE {number(values[model], 3)})" if model in values else ""
        groups.append(
            (
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
            )
        )
    bars = (
        colour_bar("gray", "0", f"{window:.2g}", f"{target}, patient's scale"),
        colour_bar(ERROR_COLORMAP, "0", f"{largest:.2g}", "absolute error, same scale"),
    )
    return Example(f"{source} → {target}, {where}", why, tuple(groups), bars, tuple(made))


def _values(
    metrics: pd.DataFrame, experiment: str, patient: str, source: str, target: str
) -> dict[str, float]:
    rows = metrics[
        (metrics["experiment"] == experiment)
        & (metrics["patient"] == patient)
        & (metrics["source"] == source)
        & (metrics["target"] == target)
        & (metrics["region"] == "body")
        & (metrics["metric"] == "nrmse")
    ]
    return dict(zip(rows["model"], rows["value"], strict=True))


def map_examples(results: Results, experiment: Experiment, metrics: pd.DataFrame) -> list[Example]:
    """Show PD, T1 and T2 of the median patient: least squares, and each model that has maps.

    Models' maps are those from the reference contrast, or from the first that a model has some of.
    """
    dataset = experiment.dataset
    choices = choose_patients(metrics, experiment.name, experiment.models)
    if not choices:
        return []
    choice = choices[0]
    slices = results.slices(dataset, choice.patient)
    predictions = predictions_of(results, experiment, choice)
    if slices is None or not predictions:
        return []
    _, position = middle_slice(next(iter(predictions.values()))[0], choice.patient)
    cut = around(slices.body[position])
    body = np.asarray(slices.body[position][cut])
    maps: dict[str, dict[str, np.ndarray]] = {}
    fitted = results.fitted_maps(dataset, slices, MAP_UNITS)
    if fitted:
        maps["Least squares, all contrasts"] = {
            name: np.asarray(values[position][cut]) for name, values in fitted.items()
        }
    for model, made in predictions.items():
        by_source = _maps_by_source(made, choice.patient)
        if by_source:
            source = dataset.reference if dataset.reference in by_source else next(iter(by_source))
            of_source = by_source[source][:, *cut]
            maps[f"{model}, from {source}"] = dict(zip(MAP_UNITS, of_source, strict=True))
    where = f"{choice.patient}, slice {slices.indices[position]}"
    examples = (_maps(name, maps, body, slices.spacing, where, choice.why) for name in MAP_UNITS)
    return [example for example in examples if example.groups]


def _maps_by_source(predictions: Iterable[Predictions], patient: str) -> dict[str, np.ndarray]:
    """Take the maps [(PD, T1, T2), row, column] of the middle slice, from each source."""
    found: dict[str, np.ndarray] = {}
    for held in predictions:
        if held.maps is not None:
            row, _ = middle_slice(held, patient)
            for source, maps in zip(held.map_sources, held.maps[row], strict=True):
                found.setdefault(source, maps)
    return found


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
    high = window_of(first, (body > 0) & (first > 0))
    unit = MAP_UNITS[name]
    groups = tuple(
        (
            Panel(
                origin,
                image_uri(values, high, MAP_COLORMAPS[name], body, spacing),
                f"Map of {unit} by {origin}, {where}, from 0 to {high:.2g}",
            ),
        )
        for origin, values in shown.items()
    )
    bar = colour_bar(MAP_COLORMAPS[name], "0", f"{high:.2g}", unit)
    return Example(f"{unit}, {where}", why, groups, (bar,))
