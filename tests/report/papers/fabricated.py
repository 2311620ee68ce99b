"""Small frames and folders for the papers' chapters, with numbers that a head can compute."""

import json
from pathlib import Path

import pandas as pd

from pipeline_lib.report import collect
from pipeline_lib.report.collect import Evaluated, Results
from pipeline_lib.report.papers.build import paper_chapter
from pipeline_lib.report.request import Request

PELVIS = ["T2w75", "T2w120", "T1w400", "T1w750", "PDw"]


def request_of(experiments, models, contrasts=PELVIS, scale="smoke"):
    """Describe a run on one dataset, `d`; experiments that name no pairs have all."""
    pairs = [[a, b] for a in contrasts for b in contrasts]
    return Request.from_options(
        {
            "seed": 1,
            "configuration": {
                "scale": scale,
                "models": {name: {"scale": scale, **values} for name, values in models.items()},
            },
            "datasets": {
                "d": {
                    "kind": "virtual",
                    "sessions": {"sub-001": "sub-001", "sub-002": "sub-002"},
                    "contrasts": contrasts,
                    "reference": contrasts[0],
                }
            },
            "experiments": {
                name: {"dataset": "d", "folds": 1, "pairs": pairs, **values}
                for name, values in experiments.items()
            },
        }
    )


def rows_of(experiment, model, metric, values, region="paper", group="test"):
    """Rows of the metrics: values by (patient, source, target)."""
    return [
        {"experiment": experiment, "dataset": "d", "model": model, "fold": 0, "group": group,
         "parameters": "seen", "patient": patient, "source": source, "target": target,
         "region": region, "metric": metric, "value": value, "data_range": 1.0}
        for (patient, source, target), value in values.items()
    ]  # fmt: skip


def summary_row(experiment, model, metric, mean, n=2, source="all", target="all"):
    """Row of a summary over the body, its interval a tenth to either side."""
    return {"experiment": experiment, "dataset": "d", "model": model, "source": source,
            "target": target, "region": "body", "metric": metric, "n": n, "mean": mean,
            "sd": 0.01, "low": mean - 0.1, "high": mean + 0.1}  # fmt: skip


def evaluated(**frames):
    """Tables of the evaluation from lists of rows; what is not given is empty."""
    keys = {
        "summary": collect.SUMMARY_KEYS,
        "metrics": collect.METRIC_KEYS,
        "external": collect.SUMMARY_KEYS,
        "generalisation": collect.GENERALISATION_KEYS,
        "comparisons": collect.COMPARISON_KEYS,
        "maps": collect.MAP_KEYS,
        "tissues": collect.TISSUE_KEYS,
    }
    return Evaluated(
        **{name: pd.DataFrame(frames.get(name, []), columns=key) for name, key in keys.items()}
    )


def write_split(root: Path, experiment: str, **patients: list[str]) -> None:
    """Write the split of one fold: patients of each part."""
    rows = [
        {"fold": 0, "patient": patient, "anatomy": patient, "split": part, "slice": "",
         "contrast": ""}
        for part, names in patients.items()
        for patient in names
    ]  # fmt: skip
    write_csv(root / f"split/{experiment}.csv", rows)


def write_csv(path: Path, rows) -> None:
    """Write rows as a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def write_json(path: Path, content) -> None:
    """Write content as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def chapter_of(paper, request, root, **frames):
    """Make the chapter of a paper from a results folder and rows of the evaluation."""
    return paper_chapter(paper, request, Results(root), evaluated(**frames))


def part_of(chapter, heading):
    """Find the part of a chapter whose heading begins so."""
    return next(part for part in chapter.parts if part.heading.startswith(heading))


def row_of(table, *first):
    """Find the row of a table whose first cells read so, with the small line of the first."""
    return next(
        row
        for row in table.rows
        if [f"{row[0].text} {row[0].detail}".strip(), *(cell.text for cell in row[1:])][
            : len(first)
        ]
        == list(first)
    )


def cells_of(table, *first):
    """Give the cells of a row by the headings of their columns."""
    return dict(zip(table.columns, row_of(table, *first), strict=True))
