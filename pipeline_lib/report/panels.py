"""What an example of a slice is made of: which slice, cut to the body, in which window."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.evaluation.predictions import Predictions
from pipeline_lib.report.choices import Choice
from pipeline_lib.report.collect import Results
from pipeline_lib.report.figures import Bar
from pipeline_lib.report.request import Experiment

# Rows and columns of background that are kept around the body.
MARGIN = 4


@dataclass(frozen=True)
class Panel:
    """One picture with its caption."""

    caption: str
    uri: str
    alt: str


@dataclass(frozen=True)
class Example:
    """Pictures of one slice that share their colour bars; those of a group stay side by side.

    Attributes
    ----------
    models
        Of a transfer, the models of all groups but the first, which holds source and target.
    """

    heading: str
    why: str
    groups: tuple[tuple[Panel, ...], ...]
    bars: tuple[Bar, ...]
    models: tuple[str, ...] = ()

    def strip(self, model: str) -> tuple[Panel, ...]:
        """Source, target, and one model's answer with its error; empty without that model."""
        if model not in self.models:
            return ()
        return (*self.groups[0], *self.groups[1 + self.models.index(model)])


def predictions_of(
    results: Results, experiment: Experiment, choice: Choice
) -> dict[str, list[Predictions]]:
    """Find the predictions of each model that has some of the chosen patient."""
    found = {
        model: [
            made
            for made in results.predictions(experiment, model, choice.fold)
            if choice.patient in made.patients
        ]
        for model in experiment.models
    }
    return {model: made for model, made in found.items() if made}


def middle_slice(
    predictions: Predictions, patient: str, among: Collection[int] | None = None
) -> tuple[int, int]:
    """Row of the predictions and position in the patient's store of the middle slice.

    Of a patient with several sessions, the middle of the first session.

    Parameters
    ----------
    among
        Positions that may be chosen; all if not given, or if none of them was predicted.
    """
    rows = predictions.index[predictions.index["patient"] == patient]
    held = rows[rows["slice"].isin(list(among or []))]
    rows = rows if held.empty else held
    rows = rows[rows["session"] == rows["session"].iloc[0]]
    middle = rows.iloc[len(rows) // 2]
    return int(middle.name), int(middle["slice"])


def held_out_slices(split: pd.DataFrame, choice: Choice, pair: tuple[str, str]) -> set[int] | None:
    """Slices of a patient whose images of a pair are in a leaked split's test; None: all.

    Where no slice has both in the test, those that have the target there: the source is one that
    is always given.
    """
    rows = split[
        (split["split"] == "test")
        & (split["patient"] == choice.patient)
        & (split["fold"] == choice.fold)
        & split["slice"].fillna("").ne("")
    ]
    if rows.empty:
        return None
    of_source, of_target = (
        set(rows.loc[rows["contrast"].isin(["", contrast]), "slice"].astype(int))
        for contrast in pair
    )
    return (of_source & of_target) or of_target


def around(body: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a mask [row, column] with a margin; all of an empty one."""
    inside = np.argwhere(np.asarray(body) > 0)
    if not len(inside):
        return slice(None), slice(None)
    first, last = inside.min(axis=0) - MARGIN, inside.max(axis=0) + MARGIN + 1
    return slice(max(first[0], 0), last[0]), slice(max(first[1], 0), last[1])


def window_of(image: np.ndarray, inside: np.ndarray) -> float:
    """Give the brightest grey: the 99.5th percentile of an image within a mask."""
    values = image[(inside > 0) & np.isfinite(image)]
    return max(float(np.percentile(values, 99.5)), 1e-6) if values.size else 1.0
