"""Scans in BIDS folders; standard library only, because the Snakefile imports it."""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError, did_you_mean
from pipeline_lib.imaging.bids_folders import Session, names_in, sessions_in
from pipeline_lib.imaging.sidecars import (
    EXTENSIONS,
    inherits,
    needs_sidecar,
    sidecar_of,
    stem_of,
)
from pipeline_lib.signal.sequences import Sequence

# Suffixes of anatomical scans in BIDS that a contrast may be named after.
SUFFIXES = ("T1w", "T2w", "PDw", "FLAIR", "T2starw", "inplaneT1", "inplaneT2", "PDT2", "UNIT1")


def patient_of(session: str) -> str:
    """Patient of a session: `sub-01` of `sub-01_ses-1`, and of `sub-01` itself."""
    return session.split("_")[0]


def suffix_of(sequence: Sequence) -> str:
    """BIDS suffix that describes what a sequence weights.

    FLAIR with an inversion pulse, else T2w from an echo time of 30 ms on, else T1w up to a
    repetition time of 1.5 s, else PDw.
    """
    if sequence.has_inversion:
        return "FLAIR"
    if sequence.te >= 0.03:
        return "T2w"
    return "T1w" if sequence.tr <= 1.5 else "PDw"


def scan_name(session: str, contrast: str, sequence: Sequence | None) -> str:
    """File name of a scan, without its extension.

    Parameters
    ----------
    session
        `sub-01`, or `sub-01_ses-1`.
    contrast
        Name of the contrast; one that is no BIDS suffix becomes the entity `acq-`.
    sequence
        Chooses the suffix beside `acq-`; `None` where it is not known yet (DICOM), then the
        contrast's name must begin with the suffix.

    Returns
    -------
        `sub-01_T1w` for the contrast `T1w`, `sub-01_acq-T2w75_T2w` for `T2w75`.

    Raises
    ------
    InputError
        If neither the sequence nor the name tells the suffix.
    """
    if contrast in SUFFIXES:
        return f"{session}_{contrast}"
    if sequence is not None:
        return f"{session}_acq-{contrast}_{suffix_of(sequence)}"
    for suffix in SUFFIXES:
        if contrast.startswith(suffix):
            return f"{session}_acq-{contrast}_{suffix}"
    raise InputError(
        f"Contrast {contrast} of a DICOM dataset needs a name that begins with its BIDS suffix "
        f"({', '.join(SUFFIXES)}); call it for instance T1w{contrast}."
    )


def find_scans(
    root: str | Path,
    contrasts: Mapping[str, Mapping[str, Any]],
    reference: str,
    exclude: Collection[str] = (),
) -> dict[str, dict[str, Path]]:
    """Find the scan of each contrast in each session of a BIDS folder.

    Only names are read, so that 50,000 files take seconds.

    Parameters
    ----------
    root
        Folder that holds the `sub-*` folders.
    contrasts
        Configuration of each contrast. Its `match` is what a file's name has between the session
        and the extension (`T1w`, `acq-long_T2w`), with `*` and `?` if need be; without it the
        name of the contrast, alone or as the entity `acq-`.
    reference
        Contrast that the others are registered to.
    exclude
        Patients (`sub-07`) and sessions (`sub-01_ses-2`) to leave out.

    Returns
    -------
        For each session in order of name, the path of each contrast in order of `contrasts`.

    Raises
    ------
    InputError
        If the folder is missing or has no patients, or with one sentence for each missing or
        doubled scan, missing sidecar, and name in `exclude` that does not exist.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is no folder; set `root:` of the dataset to the BIDS folder.")
    sessions = sorted(sessions_in(root), key=lambda session: session.name)
    if not sessions:
        raise InputError(
            f"{root} has no patient: BIDS names their folders sub-*, each with its scans in "
            "anat or ses-*/anat; set `root:` of the dataset to the folder that holds them."
        )
    problems = list(_unknown(exclude, sessions))
    chosen = [s for s in sessions if not {s.name, patient_of(s.name)} & {*exclude}]
    if not chosen:
        problems.append(f"`exclude:` leaves no patient of {root}; take a name out of it.")
    found: dict[str, dict[str, Path]] = {}
    missing: dict[str, list[str]] = {contrast: [] for contrast in contrasts}
    for session in chosen:
        found[session.name], sentences = _match(session, contrasts, missing, reference)
        problems += sentences
    for contrast, sentences in missing.items():
        if len(sentences) == len(chosen) > 1:
            sentences[:] = [
                f"Contrast {contrast} is in no session of {root}; correct its `match:`. "
                f"The first of {len(chosen)}: {sentences[0]}"
            ]
        problems += sentences
    raise_together(problems)
    return found


def raise_together(problems: list[str]) -> None:
    """Raise one InputError that lists every problem, if there is any."""
    if len(problems) == 1:
        raise InputError(problems[0])
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise InputError(f"{len(problems)} problems:\n{listed}")


def _unknown(exclude: Collection[str], sessions: list[Session]) -> Iterator[str]:
    names = {session.name for session in sessions}
    names |= {patient_of(name) for name in names}
    for name in exclude:
        if name not in names:
            yield (
                f"`exclude:` names {name}, which does not exist{did_you_mean(name, names)}; "
                "correct it or take it out."
            )


def _match(
    session: Session,
    contrasts: Mapping[str, Mapping[str, Any]],
    missing: dict[str, list[str]],
    reference: str,
) -> tuple[dict[str, Path], list[str]]:
    """Find the scans of one session, and a sentence for each fault; the absent go to `missing`."""
    prefix = f"{session.name}_"
    scans = [n for n in session.names if n.endswith(EXTENSIONS) and n.startswith(prefix)]
    parts = {name: stem_of(name).removeprefix(prefix) for name in scans}
    found: dict[str, Path] = {}
    problems: list[str] = []
    for contrast, settings in contrasts.items():
        match = settings.get("match")
        patterns = [match] if match else [contrast, f"acq-{contrast}_*"]
        names = [n for n, part in parts.items() if any(fnmatchcase(part, p) for p in patterns)]
        if len(names) > 1:
            problems.append(
                f"{session.folder} has {len(names)} scans of contrast {contrast} "
                f"({', '.join(names)}); keep one, or write its name's part in the contrast's "
                f"`match:` (now {match or contrast}), or name {session.name} in `exclude:`."
            )
        elif not names:
            sentence = _missing(session, contrast, patterns[0], reference, parts.values())
            missing[contrast].append(sentence)
        else:
            problems += _taken(session, names[0], contrast, found)
            found[contrast] = session.folder / names[0]
            problems += _sidecar_missing(session, names[0], contrast, settings)
    return found, problems


def _missing(
    session: Session, contrast: str, pattern: str, reference: str, parts: Collection[str]
) -> str:
    of = "the reference contrast" if contrast == reference else "contrast"
    return (
        f"{session.name} has no scan of {of} {contrast}: {session.folder} holds no "
        f"{session.name}_{pattern}.nii.gz but {', '.join(sorted(set(parts))) or 'no scan'}; "
        f"add the file, correct the contrast's `match:`, or name {session.name} in `exclude:`."
    )


def _taken(session: Session, name: str, contrast: str, found: Mapping[str, Path]) -> Iterator[str]:
    for other, path in found.items():
        if path.name == name:
            yield (
                f"{session.folder / name} matches both {other} and {contrast}; "
                "make their `match:` more exact."
            )


def _sidecar_missing(
    session: Session, name: str, contrast: str, settings: Mapping[str, Any]
) -> Iterator[str]:
    if not needs_sidecar(settings) or sidecar_of(name).name in session.names:
        return
    if not any(inherits(other, name) for other in session.inherited):
        yield (
            f"{session.folder / name} has no sidecar {sidecar_of(name).name}; add it with EchoTime "
            f"and RepetitionTime in seconds, or give te and tr of contrast {contrast} "
            "in the configuration."
        )


def find_dseg(root: str | Path, session: str, wmparc: bool = False) -> Path | None:
    """Find the segmentation of a session among the derivatives of a BIDS folder.

    It is `derivatives/*/sub-*/[ses-*/]anat/*_dseg.nii.gz` of that session, on the grid of the
    reference scan; those with an entity `space-` are on another grid and passed over. Where
    FreeSurfer's `wmparc` is looked for, those of that description come first.

    Raises
    ------
    InputError
        If there are several.
    """
    patient, *rest = session.split("_")
    folder = Path(patient, *rest, "anat")
    pattern = f"derivatives/*/{folder}/{session}_*dseg.nii*"
    paths = [
        path
        for path in sorted(Path(root).glob(pattern))
        if stem_of(path).endswith("_dseg") and "_space-" not in path.name
    ]
    if wmparc:
        paths = [path for path in paths if "_desc-wmparc_" in path.name] or paths
    if len(paths) > 1:
        raise InputError(
            f"{session} has {len(paths)} segmentations ({', '.join(map(str, paths))}); "
            "keep the one to use under derivatives."
        )
    return paths[0] if paths else None


def find_patients(root: str | Path) -> dict[str, Path]:
    """Find the patients of a DICOM folder: its sub-folders, one a patient.

    Returns
    -------
        Folder of each patient, who is called `sub-` and the letters and digits of the folder's
        name (`Pat 07` is `sub-Pat07`).

    Raises
    ------
    InputError
        If the folder is missing or has no sub-folder, or if two get the same name.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root} is no folder; set `root:` of the dataset to the DICOM folder.")
    found: dict[str, Path] = {}
    for name in names_in(root)[0]:
        label = "".join(
            character for character in name if character.isascii() and character.isalnum()
        )
        if name.startswith(".") or not label:
            continue
        patient = f"sub-{label.removeprefix('sub')}" if name.startswith("sub-") else f"sub-{label}"
        if patient in found:
            raise InputError(
                f"{root / name} and {found[patient]} would both be called {patient}; "
                "rename one of the folders."
            )
        found[patient] = root / name
    if not found:
        raise InputError(
            f"{root} has no sub-folder; put the DICOM files of each patient in a folder of its own."
        )
    return found
