"""Alkan et al. 2017: T1w to T2w by plain convolutions; their depth, tissue masks and patients."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline_lib.report.papers.chapter import PaperChapter, PaperPart
from pipeline_lib.report.papers.measured import (
    Material,
    formula_rows,
    over_body,
    percent,
    percent_words,
    setting_sentences,
)
from pipeline_lib.report.papers.published import ALKAN_TABLES
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table, numeric, score_cell, words
from pipeline_lib.report.verdict import BASELINES, short_label_of

CITATION = (
    "C. Alkan, J. Cocjin, A. Weitz: Magnetic resonance contrast prediction using deep learning. "
    "Stanford University, 2017."
)
METRIC = "alkan2017_mse"
# Layers, and whether the tissue masks are inputs too.
Variant = tuple[int, bool]
VARIANTS: tuple[Variant, ...] = ((3, False), (3, True), (9, False), (9, True))
# To it the ratios of a table are taken.
REFERENCE: Variant = (9, False)
TABLES = {
    1: "Table 1: within one patient",
    2: "Table 2: across patients, one for training",
    3: "Table 3: across patients, many for training",
}
# Measured losses are written in units of this.
UNIT = 1e-3


@dataclass(frozen=True)
class Measured:
    """One of the paper's tables as measured.

    Attributes
    ----------
    models
        Variant -> model of the experiment.
    losses
        Model or baseline -> mean squared error of each patient by the paper's formula.
    """

    experiment: Experiment
    models: Mapping[Variant, str]
    losses: Mapping[str, pd.Series]

    def of(self, variant: Variant) -> pd.Series:
        """Give the losses of a variant, one a patient; empty where it was not measured."""
        return self.losses.get(self.models.get(variant, ""), pd.Series(dtype=float))

    def ratio(self, name: str) -> float:
        """Give a system's mean loss over that of the reference; NaN where one is missing."""
        losses = self.losses.get(name, pd.Series(dtype=float))
        return float(losses.mean() / self.of(REFERENCE).mean())


def chapter(material: Material) -> PaperChapter:
    """Give Tables 1 to 3 as ratios, and the three effects that the paper draws from them."""
    tables = _measured(material)
    said = (
        "Alkan et al. trained plain convolutional networks of 3 and of 9 layers, with and without "
        "eight tissue masks as further inputs, to make a brain's T2w image from its T1w image.",
        "Their data are the Human Connectome Project's, 1 or 50 subjects for training and 5 others "
        "for test; Table 1 is within one subject, whose overlapping patches are in training and "
        "test. Losses are in squared intensities of those data, so only ratios compare: each is "
        "taken to the network of 9 layers without masks of the same table.",
        *setting_sentences(material, material.experiments),
    )
    parts = [_table(material, number, tables.get(number)) for number in TABLES]
    return PaperChapter(
        "alkan2017",
        "Alkan 2017: T1w to T2w by plain convolutions",
        CITATION,
        said,
        (*parts, _effects(tables)),
    )


def _measured(material: Material) -> dict[int, Measured]:
    """Give the experiment of each of the paper's tables, by its split."""
    found = {}
    for experiment in material.experiments:
        models = {
            variant: model
            for model in reversed(experiment.models)
            if (variant := _variant(material, model)) is not None
        }
        names = material.systems_of(experiment, BASELINES)
        losses = {name: _losses(material, experiment, name) for name in names}
        found[_number(material, experiment)] = Measured(experiment, models, losses)
    return found


def _variant(material: Material, model: str) -> Variant | None:
    if material.request.system_of(model).partition("_")[0] != "alkan":
        return None
    layers, masks = material.setting(model, "layers"), material.setting(model, "tissue_masks")
    return None if layers is None or masks is None else (int(str(layers)), bool(masks))


def _number(material: Material, experiment: Experiment) -> int:
    """Tell which of the paper's tables an experiment reproduces."""
    if experiment.leaked:
        return 1
    split = material.results.split(experiment)
    training = split[split["split"] == "train"].groupby("fold")["patient"].nunique()
    return 2 if training.max() == 1 else 3


def _losses(material: Material, experiment: Experiment, name: str) -> pd.Series:
    rows = formula_rows(material, experiment, name, METRIC)
    return rows.groupby("patient")["value"].mean()


def _table(material: Material, number: int, measured: Measured | None) -> PaperPart:
    published = ALKAN_TABLES[number]
    rows, records = [], []
    for variant in VARIANTS:
        loss = published.get(variant, np.nan)
        name = measured.models.get(variant) if measured else None
        if np.isnan(loss) and name is None:
            continue
        label = f"{variant[0]} layers{', masks' if variant[1] else ''}"
        cells, record = _cells(material, measured, name)
        ratio = loss / published[REFERENCE]
        rows.append((Cell(label, label, name or ""), numeric(loss, 0), numeric(ratio, 2), *cells))
        records.append({"system": label, "published": loss, "published_ratio": ratio, **record})
    for name in measured.losses if measured else ():
        if measured and name not in measured.models.values():
            cells, record = _cells(material, measured, name)
            label = short_label_of(name)
            rows.append((words(label), numeric(np.nan, 0), numeric(np.nan, 2), *cells))
            records.append({"system": label, **record})
    key = measured.experiment.name if measured else "published"
    made = Table(
        name=f"paper-alkan2017-table-{number}-{key}",
        caption=f"Mean squared error{_leaked(measured)}; ratios to 9 layers without masks.",
        columns=(
            "Network", "Published loss", "Published ratio", "Measured loss (10⁻³)",
            "Measured ratio", "NRMSE over the body",
        ),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )  # fmt: skip
    return PaperPart(TABLES[number], _text(measured), (made,))


def _cells(
    material: Material, measured: Measured | None, name: str | None
) -> tuple[tuple[Cell, ...], dict[str, float]]:
    """Cells of the measured loss, its ratio, and the NRMSE over the body."""
    if measured is None or name is None:
        return (numeric(np.nan, 2), numeric(np.nan, 2), Cell("–", None)), {}
    losses = measured.losses.get(name, pd.Series(dtype=float))
    loss, ratio = float(losses.mean()), measured.ratio(name)
    score = over_body(material.tables, measured.experiment, name, "nrmse")
    cells = (numeric(loss / UNIT, 3), numeric(ratio, 2), score_cell(score, "nrmse"))
    record = {"measured": loss, "measured_ratio": ratio}
    return cells, record | ({"body_nrmse": score.mean} if score else {})


def _leaked(measured: Measured | None) -> str:
    return " of a leaked split, not evidence of generalisation" if _is_leaked(measured) else ""


def _is_leaked(measured: Measured | None) -> bool:
    return bool(measured and measured.experiment.leaked)


def _text(measured: Measured | None) -> str:
    if measured is None:
        return "The run has no experiment of this table; the published numbers stand alone."
    if all(losses.empty for losses in measured.losses.values()):
        return f"{measured.experiment.name} was not evaluated by the paper's formula."
    text = (
        "The measured loss is the paper's, on the patient's scale of intensities; NRMSE over the "
        "body is this project's own measure, with its 95 % interval over patients."
    )
    if _is_leaked(measured):
        text += (
            f" This is a {measured.experiment.leaked_words}. The paper splits patches that "
            "overlap, here slices are split."
        )
    if measured.of(REFERENCE).empty:
        text += " The network of 9 layers without masks was not measured, so there are no ratios."
    return text


def _effects(tables: Mapping[int, Measured]) -> PaperPart:
    heading = "Effects of masks, depth and number of training patients"
    rows, records = [], []
    for label, before, after in _comparisons():
        published = percent(_published(after), _published(before))
        old, new = _of(tables, before), _of(tables, after)
        both = pd.concat([old, new], axis=1, join="inner")
        change = percent(both.iloc[:, 1].mean(), both.iloc[:, 0].mean())
        lower = int((both.iloc[:, 1] < both.iloc[:, 0]).sum())
        count = Cell(f"{lower} of {len(both)}", lower / len(both)) if len(both) else Cell("–", None)
        rows.append(
            (
                words(label),
                _percent_cell(published),
                _percent_cell(change),
                count,
                _agrees(published, change),
            )
        )
        record = {"effect": label, "published_percent": published, "measured_percent": change}
        records.append({**record, "lower_in": lower, "patients": len(both)})
    made = Table(
        name="paper-alkan2017-effects",
        caption="Change of the mean squared error, by the paper's formula.",
        columns=("Effect", "Published", "Measured", "Patients in whom it is lower", "Direction"),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )
    text = (
        "The paper sums up: masks lower the loss typically by 20 %, 9 layers instead of 3 by 40 to "
        "60 %, more training patients lower it too. The last is measured between two experiments, "
        "over the patients that both test."
    )
    return PaperPart(heading, text, (made,))


# A table of the paper and a variant in it.
Place = tuple[int, Variant]


def _comparisons() -> Iterator[tuple[str, Place, Place]]:
    """Give words, before and after of all effects that the paper's tables hold."""
    where = {1: "within one patient", 2: "one training patient", 3: "many training patients"}
    for number, losses in ALKAN_TABLES.items():
        for layers in (3, 9):
            if (layers, True) in losses:
                before, after = (number, (layers, False)), (number, (layers, True))
                yield f"Masks, {layers} layers, {where[number]}", before, after
    for number, losses in ALKAN_TABLES.items():
        for masks in (False, True):
            if (3, masks) in losses:
                named = "with masks" if masks else "without masks"
                yield (
                    f"9 layers for 3, {named}, {where[number]}",
                    (number, (3, masks)),
                    (number, (9, masks)),
                )
    for masks in (False, True):
        named = "with masks" if masks else "without masks"
        yield f"Many training patients for one, 9 layers {named}", (2, (9, masks)), (3, (9, masks))


def _published(place: Place) -> float:
    return ALKAN_TABLES[place[0]][place[1]]


def _of(tables: Mapping[int, Measured], place: Place) -> pd.Series:
    measured = tables.get(place[0])
    return measured.of(place[1]) if measured else pd.Series(dtype=float)


def _percent_cell(change: float) -> Cell:
    return Cell(percent_words(change), None if pd.isna(change) else change)


def _agrees(published: float, measured: float) -> Cell:
    if pd.isna(measured):
        return Cell("–", None)
    return words("same" if (measured < 0) == (published < 0) else "opposite")
