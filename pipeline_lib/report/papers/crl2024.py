"""Xiong et al., MICCAI 2024 (CRL): any fast-spin-echo sequence of the brain to any other."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pipeline_lib.report.papers import crl2024_all_pairs
from pipeline_lib.report.papers.chapter import PaperChapter, PaperPart
from pipeline_lib.report.papers.crl2024_all_pairs import contrasts_of
from pipeline_lib.report.papers.measured import (
    Material,
    by_formula,
    over_body,
    setting_sentences,
    spread_cell,
    spread_words,
)
from pipeline_lib.report.papers.published import (
    CRL_NAMES,
    CRL_TABLE_2,
)
from pipeline_lib.report.request import Experiment
from pipeline_lib.report.tables import Cell, Table, score_cell
from pipeline_lib.report.verdict import BASELINES, CEILINGS, ORACLES, label_of

CITATION = (
    "H. Xiong, Y. Fang, K. Sun, Y. Wang, X. Zong, W. Zhang, Q. Wang: Contrast representation "
    "learning from imaging parameters for magnetic resonance image synthesis. MICCAI 2024."
)
# System of the configuration -> row of the paper's Table 2.
PUBLISHED_AS = {"pgan": "pGAN", "ptnet": "PTNet", "resvit": "ResViT", "crl": "CRL"}
METRICS = {"psnr": ("PSNR (dB) ↑", 2), "ssim": ("SSIM (%) ↑", 2)}
CONTRADICTION = (
    "The paper contradicts itself: for PD → T2-FLAIR its Table 2 prints 29.40 dB and its Table 3 "
    "26.21 dB, for PD → T1-FLAIR the two the other way round; one of the two has its columns "
    "swapped. Both stand here as printed."
)


def chapter(material: Material) -> PaperChapter:
    """Give Tables 2 and 3, published and measured."""
    said = (
        "Xiong et al. encode a slice into features that TR, TE and TI of its sequence make common "
        "to all sequences, and decode them with those of the target: one network for all pairs, "
        "and for sequences that no training image had.",
        "Their data: ten healthy subjects, nine fast-spin-echo sequences of the brain at 3 T, not "
        "published; 5 folds. Their code conditions in another way than the paper says, so both "
        "were measured (crl_paper, crl_code). pGAN, PTNet and ResViT were trained once a pair.",
        *setting_sentences(material, material.experiments),
    )
    wide_first = sorted(material.experiments, key=lambda each: -len(each.pairs))
    widest = wide_first[0]
    networks = [name for name in widest.models if _family(material, name) == "crl"]
    return PaperChapter(
        "crl2024",
        "Xiong 2024 (CRL): nine sequences of the brain",
        CITATION,
        said,
        (_table_2(material, wide_first), crl2024_all_pairs.part(material, widest, networks)),
    )


def _table_2(material: Material, experiments: list[Experiment]) -> PaperPart:
    """Systems by the six pairs: those of all pairs come from the widest experiment."""
    systems: dict[str, Experiment] = {}
    for experiment in experiments:
        for name in material.systems_of(experiment, (*BASELINES, *ORACLES, *CEILINGS)):
            systems.setdefault(name, experiment)
    learned = [name for name in systems if _published_row(material, name)]
    learned += [name for name in systems if name not in learned and label_of(name) == name]
    order = [*learned, *(name for name in systems if name not in learned)]
    # A ceiling is of this project's measures; the paper's formula has none.
    in_paper = [name for name in order if name not in CEILINGS]
    tables = [_formula_table(material, systems, in_paper, metric) for metric in METRICS]
    tables.append(_body_table(material, systems, order))
    folds = max(experiment.folds for experiment in experiments)
    text = (
        f"{CONTRADICTION} The published ± is over slices or folds, which the paper doesn't say; "
        f"the measured one is over the test patients of {folds} fold{'' if folds == 1 else 's'}. "
        "The paper's formula takes the whole frame, scaled by the target's least and greatest "
        "value; over the body, this project's own measure, the background counts nothing and the "
        "range is that of the training patients."
    )
    return PaperPart("Table 2: six pairs", text, tuple(tables))


def _family(material: Material, model: str) -> str:
    return material.request.system_of(model).partition("_")[0]


def _published_row(material: Material, model: str) -> str | None:
    return PUBLISHED_AS.get(_family(material, model))


def _formula_table(
    material: Material, systems: Mapping[str, Experiment], order: list[str], metric: str
) -> Table:
    heading, digits = METRICS[metric]
    place = list(METRICS).index(metric)
    rows, records = [], []
    for name in order or list(PUBLISHED_AS.values()):
        # Without a single system measured, the paper's own rows stand alone.
        printed_as = _published_row(material, name) if order else name
        cells = []
        for pair, published in CRL_TABLE_2.items():
            stated = published[printed_as][place] if printed_as else None
            found = None
            if name in systems:
                found = by_formula(
                    material, systems[name], name, f"crl2024_{metric}",
                    contrasts_of(pair),
                )  # fmt: skip
            cells.append(spread_cell(found, digits, spread_words(stated, digits) if stated else ""))
            record = {"system": name, "source": pair[0], "target": pair[1], "metric": metric}
            for kind, spread in (("published", stated), ("measured", found)):
                record |= {
                    f"{kind}_mean": spread.mean if spread else np.nan,
                    f"{kind}_sd": spread.sd if spread else np.nan,
                }
            records.append(record)
        rows.append((Cell(label_of(name), label_of(name)), *cells))
    return Table(
        name=f"paper-crl2024-table-2-{metric}",
        caption=f"{heading} by the paper's formula, mean ± SD; the published number below.",
        columns=("System", *_headings()),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )


def _headings() -> list[str]:
    return [f"{CRL_NAMES[source]} → {CRL_NAMES[target]}" for source, target in CRL_TABLE_2]


def _body_table(material: Material, systems: Mapping[str, Experiment], order: list[str]) -> Table:
    rows, records = [], []
    for name in order:
        found = {
            pair: over_body(material.tables, systems[name], name, "psnr", contrasts_of(pair))
            for pair in CRL_TABLE_2
        }
        rows.append(
            (
                Cell(label_of(name), label_of(name)),
                *(score_cell(score, "psnr") for score in found.values()),
            )
        )
        records += [
            {"system": name, "source": source, "target": target, **vars(score)}
            for (source, target), score in found.items()
            if score
        ]
    return Table(
        name="paper-crl2024-table-2-body",
        caption="PSNR (dB) ↑ over the body: mean ± SD over patients, 95 % interval.",
        columns=("System", *_headings()),
        rows=tuple(rows),
        csv=pd.DataFrame(records).to_csv(index=False),
    )
