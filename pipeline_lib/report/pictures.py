"""Quality-control pictures of sessions, those with the worst registration first."""

from dataclasses import dataclass

import pandas as pd

from pipeline_lib.report.collect import Results
from pipeline_lib.report.figures import picture_uri
from pipeline_lib.report.request import Dataset

STAGES = {
    "register": "Registration",
    "correct_bias": "Bias correction",
    "segment": "Masks and tissues",
}


@dataclass(frozen=True)
class SessionPictures:
    """Pictures of one session: (heading, data URI) for each stage that left one."""

    session: str
    residual: str
    pictures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class QualityPictures:
    """Pictures of a dataset's sessions, and where those lie that are not shown."""

    shown: tuple[SessionPictures, ...]
    left_out: tuple[str, ...]
    places: tuple[str, ...]


def quality_pictures(
    results: Results, dataset: Dataset, registrations: pd.DataFrame, sessions: int
) -> QualityPictures:
    """Take the pictures of at most so many sessions, the largest residual first."""
    moved = registrations[registrations["contrast"] != dataset.reference]
    worst = moved.groupby("session")["residual_mm"].max()
    order = sorted(dataset.sessions, key=lambda session: -_known(worst.get(session)))
    with_pictures = [
        session
        for session in order
        if any(results.picture(stage, dataset, session) for stage in STAGES)
    ]
    shown = []
    for session in with_pictures[:sessions]:
        paths = {stage: results.picture(stage, dataset, session) for stage in STAGES}
        residual = worst.get(session)
        shown.append(
            SessionPictures(
                session=session,
                residual="" if pd.isna(residual) else f"largest residual {residual:.2f} mm",
                pictures=tuple(
                    (STAGES[stage], picture_uri(path)) for stage, path in paths.items() if path
                ),
            )
        )
    places = tuple(
        f"{results.root}/quality/{dataset.name}/<session>/{stage}.png" for stage in STAGES
    )
    return QualityPictures(tuple(shown), tuple(with_pictures[sessions:]), places)


def _known(residual: float | None) -> float:
    return -1.0 if residual is None or pd.isna(residual) else float(residual)
