"""Scores of Narang et al. 2022 by the paper's formula, as measured and as rows of a CSV."""

from collections.abc import Iterator, Mapping, Sequence

from pipeline_lib.report.papers.measured import Material, by_formula
from pipeline_lib.report.papers.published import Spread
from pipeline_lib.report.request import Experiment

# Metric -> its heading and digits; the published pairs of numbers are in this order.
METRICS = {"psnr": ("PSNR (dB)", 2), "mae": ("mean absolute difference", 2)}


def scores_of(
    material: Material, experiment: Experiment, name: str, group: str = "test"
) -> tuple[Spread | None, ...]:
    """PSNR and mean absolute difference of a system by the paper's formula."""
    return tuple(
        by_formula(material, experiment, name, f"narang2022_{metric}", group=group)
        for metric in METRICS
    )


def records_of(
    name: str, published: Sequence[Spread | None], found: Mapping[str, Sequence[Spread | None]]
) -> Iterator[dict[str, object]]:
    """Give rows of a CSV: published and measured numbers of one system, those that there are."""
    for kind, spreads in {"published": published, **found}.items():
        for metric, spread in zip(METRICS, spreads, strict=True):
            if spread:
                yield {"system": name, "numbers": kind, "metric": metric,
                       "mean": spread.mean, "sd": spread.sd}  # fmt: skip
