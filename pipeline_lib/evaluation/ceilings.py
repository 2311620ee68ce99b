"""What a perfect model would score: the noise and the registration of the targets limit it."""

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from pipeline_lib.errors import InputError
from pipeline_lib.evaluation.noise import noise_sigma
from pipeline_lib.evaluation.pairs import Pair, always_given, by_target, scored_rows
from pipeline_lib.evaluation.scoring import PatientScorer, Score, TargetScorer
from pipeline_lib.files import read_json
from pipeline_lib.signal.noise import with_rician_noise
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.store import PatientSlices

Array = np.ndarray

# Of a half circle: a shift and its opposite leave all but the same errors.
DIRECTIONS = 4
# Displacements this near to each other (mm) are scored once.
RESOLUTION = 0.05


def noise_ceiling(
    images: Images, ranges: Mapping[str, float], seed: int, pairs: Iterable[Pair]
) -> list[Score]:
    """Score a perfect answer against a target with the noise that the targets have.

    The acquired image stands for the perfect answer, and itself with fresh Rician noise for the
    target; the SD of the noise is estimated from that image (see `noise_sigma`). The source plays
    no role: the pairs of a target get the same rows, so that the means over pairs compare.

    Parameters
    ----------
    images
        The patient.
    ranges
        Declared range of each contrast.
    seed
        Of the noise, together with the names of patient and contrast.
    pairs
        What to give rows for.
    """
    names = list(images.slices.contrasts)
    rows: list[Score] = []
    for patient, target, sources in _targets(images, pairs):
        name = names[target]
        labels = patient.cut(images.slices.body * (1 + images.slices.tissues.astype(int)))
        image = patient.image(target)
        rng = np.random.default_rng(
            [seed, *(zlib.crc32(x.encode()) for x in (images.slices.patient, name))]
        )
        noisy = with_rician_noise(image, noise_sigma(image, labels), rng)
        scores = list(TargetScorer(patient, noisy, ranges[name]).score(image))
        for source in sources:
            rows += _rows(images, names[source], name, scores, ranges[name])
    return rows


def registration_ceiling(
    images: Images,
    ranges: Mapping[str, float],
    residuals: Mapping[str, float],
    pairs: Iterable[Pair],
) -> list[Score]:
    """Score a perfect answer that lies where the registration left the source.

    The acquired image stands for the target, and itself, shifted, for the perfect answer. Source
    and target were each registered to the reference, so that their displacement is the root of the
    sum of their squared residuals. It is taken within the slice, in 4 evenly spaced directions, of
    which each metric is the mean; without displacement the score is perfect.

    Parameters
    ----------
    images
        The patient.
    ranges
        Declared range of each contrast.
    residuals
        Of each contrast to the reference, in millimetres; see `patient_residuals`.
    pairs
        What to give rows for.
    """
    names = list(images.slices.contrasts)
    rows: list[Score] = []
    for patient, target, sources in _targets(images, pairs):
        name = names[target]
        image = patient.image(target)
        scorer = TargetScorer(patient, image, ranges[name])
        found: dict[float, list[tuple[str, str, float]]] = {}
        for source in sources:
            apart = float(np.hypot(residuals[names[source]], residuals[name]))
            apart = round(apart / RESOLUTION) * RESOLUTION
            if apart not in found:
                found[apart] = _displaced(scorer, image, apart, images.slices.spacing)
            rows += _rows(images, names[source], name, found[apart], ranges[name])
    return rows


def _rows(
    images: Images,
    source: str,
    target: str,
    scores: Iterable[tuple[str, str, float]],
    data_range: float,
) -> list[Score]:
    """Make the rows of a pair of (region, metric, value)."""
    return [Score(images.slices.patient, source, target, *each, data_range) for each in scores]


def _displaced(
    scorer: TargetScorer, image: Array, millimetres: float, spacing: tuple[float, float]
) -> list[tuple[str, str, float]]:
    if millimetres == 0:
        return list(scorer.score(image))
    each = [
        list(scorer.score(shifted(image, millimetres / np.array(spacing) * direction)))
        for direction in _directions()
    ]
    values = np.mean([[value for *_, value in scores] for scores in each], axis=0)
    return [
        (region, metric, float(value))
        for (region, metric, _), value in zip(each[0], values, strict=True)
    ]


def _directions() -> Iterator[Array]:
    """Give unit vectors (row, column), evenly spaced on a half circle."""
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        yield np.array([np.sin(angle), np.cos(angle)])


def shifted(images: Array, pixels: Array) -> Array:
    """Shift each slice by a fraction of pixels without the blur of an interpolation.

    By the phases of its Fourier transform, as if the frame went on periodically.

    Parameters
    ----------
    images
        [slice, row, column].
    pixels
        Towards higher rows and columns.

    Returns
    -------
        float32, the same shape.
    """
    spectrum = ndimage.fourier_shift(np.fft.fft2(images), (0.0, *pixels))
    return np.fft.ifft2(spectrum).real.astype(np.float32)


def session_residuals(folders: Iterable[Path]) -> dict[str, dict[str, float]]:
    """Read the residuals of registered sessions.

    Parameters
    ----------
    folders
        One a session, named by it, with `registration.json`.

    Returns
    -------
        {session: {contrast: mean displacement in millimetres}}.

    Raises
    ------
    InputError
        If a file is missing, or has an entry without a residual.
    """
    found = {}
    for folder in folders:
        path = folder / "registration.json"
        try:
            entries = read_json(path).items()
            found[folder.name] = {
                contrast: float(entry["residual_mm"]) for contrast, entry in entries
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path} does not give residual_mm of each contrast ({error!r}); register again."
            ) from None
    return found


def patient_residuals(
    slices: PatientSlices, sessions: Mapping[str, Mapping[str, float]]
) -> dict[str, float] | None:
    """Residual of each contrast of a patient in millimetres.

    Parameters
    ----------
    slices
        The patient.
    sessions
        See `session_residuals`.

    Returns
    -------
        The mean over the patient's sessions, each weighted by its slices; None if one of them was
        not registered.

    Raises
    ------
    InputError
        If a contrast was not registered in a session that was.
    """
    if not set(slices.sessions) <= set(sessions):
        return None
    for session in slices.sessions:
        for contrast in slices.contrasts:
            if contrast not in sessions[session]:
                raise InputError(
                    f"the registration of {session} has no {contrast}, which the slices of "
                    f"{slices.patient} have; register again."
                )
    return {
        contrast: float(np.mean([sessions[session][contrast] for session in slices.sessions]))
        for contrast in slices.contrasts
    }


def _targets(
    images: Images, pairs: Iterable[Pair]
) -> Iterator[tuple[PatientScorer, int, Sequence[int]]]:
    """Give each target with those of its sources that are scored over the same slices."""
    pairs = list(pairs)
    given = always_given(pairs)
    last: tuple[bytes, PatientScorer] | None = None
    for target, sources in by_target(pairs).items():
        groups: dict[bytes, list[int]] = {}
        for source in sources:
            rows = scored_rows(images, source, target, given)
            groups.setdefault(rows.tobytes(), []).append(source)
        for key, group in groups.items():
            rows = np.frombuffer(key, dtype=np.intp)
            # As score_patient leaves them out.
            if images.held is not None and not np.any(images.slices.body[rows]):
                continue
            if last is None or last[0] != key:
                last = key, PatientScorer(images.slices, rows)
            yield last[1], target, group
