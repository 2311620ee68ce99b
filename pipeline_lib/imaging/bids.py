"""Scans in BIDS folders; standard library only, because the Snakefile imports it."""

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


def scan_name(session: str, contrast: str, sequence: Sequence) -> str:
    """File name of a scan, without its extension.

    Parameters
    ----------
    session
        `sub-01`, or `sub-01_ses-1`.
    contrast
        Name of the contrast; one that is no BIDS suffix becomes the entity `acq-`.
    sequence
        Chooses the suffix beside `acq-`.

    Returns
    -------
        `sub-01_T1w` for the contrast `T1w`, `sub-01_acq-T2w75_T2w` for `T2w75`.
    """
    if contrast in SUFFIXES:
        return f"{session}_{contrast}"
    return f"{session}_acq-{contrast}_{suffix_of(sequence)}"
