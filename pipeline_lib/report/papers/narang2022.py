"""Narang et al. 2022 (Param-Net): any TE and TR of a spin echo of the brain to any other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from pipeline_lib.report.comparisons import compare
from pipeline_lib.report.generalisation import generalisation_table
from pipeline_lib.report.numbers import number, signed
from pipeline_lib.report.papers import narang2022_brainweb
from pipeline_lib.report.papers.chapter import PaperChapter, PaperPart
from pipeline_lib.report.papers.measured import (
    Material,
    by_formula,
    over_body,
    setting_sentences,
    spread_cell,
)
from pipeline_lib.report.papers.narang2022_scores import METRICS, records_of, scores_of
from pipeline_lib.report.papers.published import NARANG_TABLE_1, Spread
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table, score_cell
from pipeline_lib.report.verdict import BASELINES, metric_of, short_label_of

CITATION = (
    "A. Narang, A. Raj, M. Pop, M. Ebrahimi: Deep learning-based MR image re-parameterization. "
    "BIOENG 2022."
)
MODES = tuple(NARANG_TABLE_1)
# Of a re-creation of the paper's data: 24 axial slices of MRiLab's head, 8 bits, split by image.
FINDING = (
    "On a re-creation of the paper's data, split as in the paper, a copy of the nearest training "
    "image scored 29.7 to 32.1 dB and a look-up table of 256 entries 25.0 to 31.5 dB, depending on "
    "the window of grey values and the noise; the published networks have 30.34 dB "
    "(Default-to-Param) and 24.80 dB (Param-to-Param). All pairs of TE and TR of its test images "
    "were in its training too. The rows of both baselines stand below."
)
# Mode -> its experiment, of one kind of split.
Modes = Mapping[str, Experiment]


def chapter(material: Material) -> PaperChapter:
    """Give Tables 1 and 2, both splits, the baselines, and the 2 x 2 of what was seen."""
    said = (
        "Narang et al. trained Param-Net to give an image of a head another TE and TR: from one "
        "default setting (Default-to-Param), and from any (Param-to-Param).",
        "Their data are simulated: 24 axial slices of one head, MRiLab's, at 200 pairs of TE and "
        "TR, 4,800 images of which 1,500 at random are for training. So the head of the test was "
        "seen in training, and so were its TE and TR: the split leaks. Beside it stands an honest "
        "one: heads that no training saw, and some TE and TR that none saw.",
        *setting_sentences(material, material.experiments),
    )
    leaked = _by_mode(each for each in material.experiments if each.leaked)
    honest = _by_mode(each for each in material.experiments if not each.leaked)
    parts = [_table_1(material, mode, leaked.get(mode), honest.get(mode)) for mode in MODES]
    parts.append(_against_the_table(material, honest))
    parts.append(_generalisation(material, honest))
    parts.append(narang2022_brainweb.part(material, honest))
    return PaperChapter(
        "narang2022",
        "Narang 2022 (Param-Net): any TE and TR of one head",
        CITATION,
        said,
        tuple(parts),
    )


def _by_mode(experiments: Iterator[Experiment]) -> dict[str, Experiment]:
    """Tell Default-to-Param, whose pairs all start from one contrast, from Param-to-Param."""
    found: dict[str, Experiment] = {}
    for experiment in experiments:
        sources = {source for source, _ in experiment.transfers}
        found.setdefault(MODES[0] if len(sources) == 1 else MODES[1], experiment)
    return found


def _is_papers(material: Material, model: str) -> bool:
    """Whether a model is the paper's own network; its variant with FiLM is not."""
    of_family = material.request.system_of(model).partition("_")[0] == "paramnet"
    return of_family and material.setting(model, "conditioning") != "film"


def _table_1(
    material: Material, mode: str, leaked: Experiment | None, honest: Experiment | None
) -> PaperPart:
    heading = f"Table 1: {mode}"
    made = [each for each in (leaked, honest) if each]
    names = list(
        dict.fromkeys(name for each in made for name in material.systems_of(each, BASELINES))
    )
    # The learned systems first, also those of the second experiment alone.
    names.sort(key=lambda name: name in BASELINES)
    published = NARANG_TABLE_1[mode]
    rows, records = [], []
    if not any(_is_papers(material, name) for name in names):
        rows.append((Cell("Param-Net", "Param-Net"), *_measures(published, {}), Cell("–", None)))
    for name in names:
        stated = published if _is_papers(material, name) else (None, None)
        found = {
            kind: scores_of(material, each, name) for kind, each in _kinds(leaked, honest) if each
        }
        score = over_body(material.tables, honest, name, "nrmse") if honest else None
        label = short_label_of(name)
        rows.append((Cell(label, label), *_measures(stated, found), score_cell(score, "nrmse")))
        records += list(records_of(name, stated, found))
    columns = [
        f"{words}, {kind}"
        for words, _ in METRICS.values()
        for kind in ("published", "leaked split", "honest split")
    ]
    table = Table(
        name=f"paper-narang2022-table-1-{mode.partition('-')[0].lower()}",
        caption=(
            "By the paper's formula, in grey values of 8 bits: mean ± SD. The column of the leaked "
            "split is not evidence of generalisation; the last column is over the body of unseen "
            "heads."
        ),
        columns=("System", *columns, "NRMSE over the body, honest split"),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )
    said = (*_falls(material, leaked, honest), *_text_1(mode, leaked, honest))
    return PaperPart(heading, " ".join(said), (table,))


def _kinds(
    leaked: Experiment | None, honest: Experiment | None
) -> tuple[tuple[str, Experiment | None], ...]:
    return (("leaked", leaked), ("honest", honest))


def _text_1(mode: str, leaked: Experiment | None, honest: Experiment | None) -> Iterator[str]:
    yield (
        "The published ± is over batches of eight images, the measured one over pairs of contrasts "
        "and patients; NRMSE over the body has its SD and 95 % interval over patients."
    )
    if leaked:
        yield f"One of the two measured columns is of a {leaked.leaked_words}."
    if mode == MODES[0]:
        yield FINDING
    for kind, experiment in _kinds(leaked, honest):
        if experiment is None:
            yield f"The run has no {mode} experiment on the {kind} split."


def _falls(
    material: Material, leaked: Experiment | None, honest: Experiment | None
) -> Iterator[str]:
    """Say what of the network's PSNR is left on the honest split, and what a copy scores."""
    if leaked is None:
        return
    metric = "narang2022_psnr"
    for model in leaked.models:
        before = by_formula(material, leaked, model, metric)
        after = by_formula(material, honest, model, metric) if honest else None
        if before and after and _is_papers(material, model):
            yield (
                f"By the paper's formula {model} has {number(before.mean, 2)} dB on the leaked "
                f"split and {number(after.mean, 2)} dB on the honest one."
            )
    copy = by_formula(material, leaked, "nearest_copy", metric)
    if copy:
        yield (
            "On the leaked split a copy of the nearest training image has "
            f"{number(copy.mean, 2)} dB."
        )


def _measures(
    published: Sequence[Spread | None], found: Mapping[str, Sequence[Spread | None]]
) -> list[Cell]:
    """Cells of each metric: published, leaked split, honest split."""
    cells = []
    for place, (_, digits) in enumerate(METRICS.values()):
        cells.append(spread_cell(published[place], digits))
        for kind in ("leaked", "honest"):
            spread = found[kind][place] if kind in found else None
            cells.append(spread_cell(spread, digits))
    return cells


def _against_the_table(material: Material, honest: Modes) -> PaperPart:
    """Say for each learned system whether it beats the look-up table on unseen heads."""
    sentences = [
        sentence
        for mode, experiment in honest.items()
        for sentence in _comparisons(material, mode, experiment)
    ]
    text = " ".join(sentences) or (
        "No learned system was compared with the look-up table on the honest split in this run."
    )
    return PaperPart("Is it better than a look-up table?", text)


def _comparisons(material: Material, mode: str, experiment: Experiment) -> Iterator[str]:
    digits = metric_of("nrmse").digits
    for model in experiment.models:
        found = compare(
            material.tables.comparisons, experiment.name, "nrmse", model, "look_up_table"
        )
        if found is None or not found.n or pd.isna(found.difference):
            continue
        difference = f"NRMSE {signed(found.difference, digits)}"
        if pd.isna(found.low):
            yield (
                f"{mode}, {model}: {difference} against the look-up table, n = {found.n} head"
                f"{'' if found.n == 1 else 's'}, so no interval."
            )
            continue
        if found.high < 0:
            verdict = "beats the look-up table"
        elif found.low > 0:
            verdict = "is worse than the look-up table"
        else:
            verdict = "can't be told from the look-up table"
        yield (
            f"{mode}, {model} {verdict}: {difference}, 95 % interval {number(found.low, digits)} "
            f"to {number(found.high, digits)}, n = {found.n} heads."
        )


def _generalisation(material: Material, honest: Modes) -> PaperPart:
    """Give the 2 x 2 of seen and unseen heads, and of seen and unseen TE and TR."""
    heading = "Seen and unseen heads, seen and unseen TE and TR"
    tables = tuple(
        replace(made, name=f"paper-narang2022-{made.name}")
        for experiment in honest.values()
        if (made := generalisation_table(experiment, material.tables.generalisation, "nrmse"))
    )
    if not tables:
        return PaperPart(
            heading,
            "The run has no honest experiment with a seen head or unseen TE and TR, so what a "
            "network takes over to either can't be told.",
        )
    text = (
        "What the paper's split can't tell: all heads, and all TE and TR, of its own test are of "
        "the first kind, seen in training."
    )
    return PaperPart(heading, text, tables)
