"""What is shown of a dataset's fitted maps: a slice with bounds and flags, and tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.quantify.derivatives import LEVELS
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.picture import ENDINGS
from pipeline_lib.report.collect import Evaluated, Results
from pipeline_lib.report.examples import MAP_COLORMAPS
from pipeline_lib.report.figures import Bar, colour_bar, image_uri, labels_uri
from pipeline_lib.report.literature import literature_of
from pipeline_lib.report.map_tables import (
    ALL_TISSUES,
    LARGEST_BOUND,
    contrasts_of_simko,
    flags_table,
    share_words,
    tissue_table,
    with_unit,
)
from pipeline_lib.report.panels import Example, Panel, around, window_of
from pipeline_lib.report.request import Dataset, Request
from pipeline_lib.report.tables import Table
from pipeline_lib.slices.store import PatientSlices

BOUND_COLORMAP = "plasma"
# In the unit of the parameter, so that pictures of different patients compare; None: the slice's.
WINDOWS = {"T1": 3.0, "T2": 0.25, "PD": None}
TOO_UNCERTAIN = "#7d848c"


# Colour and name of each way in which a fit ends.
LOOKS = {flag: look for flag, look in ENDINGS.items() if flag != Flag.NOT_FITTED}


@dataclass(frozen=True)
class KeyEntry:
    """One line of the key to a picture of flags."""

    colour: str
    text: str


@dataclass(frozen=True)
class MapFigure:
    """A slice of a patient: each map beside its relative bound, then the flags and their key."""

    example: Example
    key: tuple[KeyEntry, ...]


@dataclass(frozen=True)
class FittedMaps:
    """All that is shown of the fitted maps of one dataset."""

    figure: MapFigure | None
    tissues: Table | None
    literature: str
    beside_simko: bool
    flags: Table | None
    words: str


def fitted_maps(
    dataset: Dataset, request: Request, results: Results, evaluated: Evaluated
) -> FittedMaps:
    """Collect what is shown of a dataset's maps; all empty where none were fitted."""
    counts = flag_counts(dataset, results)
    book, literature = literature_of(request.settings_of(dataset.name))
    beside_simko = contrasts_of_simko(results.sequences(dataset))
    return FittedMaps(
        figure=_first_figure(dataset, results),
        tissues=tissue_table(dataset, evaluated.tissues, literature, beside_simko),
        literature=book,
        beside_simko=beside_simko,
        flags=flags_table(dataset, counts),
        words=flag_words(counts),
    )


def flag_counts(dataset: Dataset, results: Results) -> pd.DataFrame:
    """Count how the fits ended, for each patient and tissue, and for all voxels fitted.

    Returns
    -------
        As `map_tables.flags_table` takes it; empty where no maps were fitted.
    """
    rows = []
    for patient in dataset.patients:
        slices = results.slices(dataset, patient)
        found = {} if slices is None else results.fitted_maps(dataset, slices, ("flag",))
        if slices is None or not found:
            continue
        flags, tissues = np.asarray(found["flag"]), np.asarray(slices.tissues)
        masks = {name: tissues == label for label, name in slices.tissue_names.items()}
        for tissue, mask in {**masks, ALL_TISSUES: np.ones(flags.shape, dtype=bool)}.items():
            ended = np.bincount(flags[mask].astype(np.intp), minlength=max(Flag) + 1)
            counts = {name: int(ended[flag]) for flag, (_, name) in LOOKS.items()}
            rows.append({"patient": patient, "tissue": tissue, **counts})
    return pd.DataFrame(rows)


def flag_words(counts: pd.DataFrame) -> str:
    """Say in one sentence which share of all voxels ended in which way; empty without any."""
    if counts.empty:
        return ""
    ended = counts[counts["tissue"] == ALL_TISSUES]
    totals = {name: int(ended[name].sum()) for _, name in LOOKS.values()}
    voxels = sum(totals.values())
    if not voxels:
        return ""
    said = [f"{share_words(n, voxels)} {name}" for name, n in totals.items() if n]
    many = "" if len(ended) == 1 else "s"
    return f"Of {voxels:,} voxels fitted in {len(ended)} patient{many}: {', '.join(said)}."


def _first_figure(dataset: Dataset, results: Results) -> MapFigure | None:
    """Draw the middle fitted slice of the first session of the first patient that has maps."""
    names = [name for parameter in WINDOWS for name in (parameter, f"{parameter}_bound")]
    for patient in dataset.patients:
        slices = results.slices(dataset, patient)
        if slices is None:
            continue
        maps = results.fitted_maps(dataset, slices, (*names, "flag"))
        if not maps:
            continue
        fitted = (maps["flag"] != Flag.NOT_FITTED).any(axis=(1, 2))
        fitted &= np.array(slices.sessions) == slices.sessions[0]
        positions = np.flatnonzero(fitted)
        if len(positions):
            return slice_figure(slices, maps, int(positions[len(positions) // 2]))
    return None


def slice_figure(slices: PatientSlices, maps: Mapping[str, np.ndarray], position: int) -> MapFigure:
    """Draw one slice: T1, T2 and PD, each beside its bound as a share of the value, and the flags.

    Parameters
    ----------
    slices
        Of the patient.
    maps
        Fitted maps by name, each [slice, row, column]: `T1`, `T1_bound`, ..., `flag`.
    position
        Of the slice in the patient's store; something was fitted in it.
    """
    cut = around(slices.body[position])
    shown = {name: np.asarray(values[position][cut]) for name, values in maps.items()}
    flags = shown["flag"]
    fitted = flags != Flag.NOT_FITTED
    where = f"{slices.patient}, slice {slices.indices[position]}"
    groups: list[tuple[Panel, ...]] = []
    bars: list[Bar] = []
    for parameter, window in WINDOWS.items():
        values, label = shown[parameter].astype(np.float32), with_unit(parameter)
        high = window or window_of(values, fitted)
        bound = relative_bound(values, shown[f"{parameter}_bound"])
        groups.append(
            (
                Panel(
                    label,
                    image_uri(values, high, MAP_COLORMAPS[parameter], fitted, slices.spacing),
                    f"Map of {label} by least squares, {where}, from 0 to {high:.2g} and more",
                ),
                Panel(
                    f"Bound of {parameter}",
                    image_uri(
                        bound, LARGEST_BOUND, BOUND_COLORMAP, fitted, slices.spacing, TOO_UNCERTAIN
                    ),
                    f"Cramér-Rao bound of {parameter} in per cent of its value, {where}, from 0 to "
                    f"{LARGEST_BOUND:g}, above it grey",
                ),
            )
        )
        bars.append(colour_bar(MAP_COLORMAPS[parameter], "0", f"≥ {high:.2g}", label))
    bars.append(
        colour_bar(
            BOUND_COLORMAP,
            "0",
            f"{LARGEST_BOUND:g} %",
            "bound, % of the value; grey: more, or unknown",
        )
    )
    uri = labels_uri(flags, {flag: colour for flag, (colour, _) in LOOKS.items()}, slices.spacing)
    groups.append((Panel("How the fit ended", uri, f"How the fit of each voxel ended, {where}"),))
    heading = f"Least squares, {where}"
    return MapFigure(Example(heading, "", tuple(groups), tuple(bars)), _key(flags[fitted]))


def _key(flags: np.ndarray) -> tuple[KeyEntry, ...]:
    entries = []
    for flag, (colour, name) in LOOKS.items():
        share = share_words(int((flags == flag).sum()), flags.size)
        meaning = LEVELS[flag].removeprefix(f"{name}: ")
        entries.append(KeyEntry(colour, f"{name}, {share}: {meaning}"))
    return tuple(entries)


def relative_bound(values: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Give a bound in per cent of the value; infinite where either is unknown or the value is 0.

    Parameters
    ----------
    values, bound
        Of one shape, in one unit.
    """
    share = np.full(values.shape, np.inf)
    known = (values > 0) & np.isfinite(bound)
    share[known] = 100 * bound[known].astype(float) / values[known]
    return share
