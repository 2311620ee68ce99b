"""From a patient's DICOM folder to named scans, through the program dcm2niix."""

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from pipeline_lib.errors import InputError
from pipeline_lib.files import folder_written_whole, read_json
from pipeline_lib.imaging.bids import raise_together, scan_name

ECHO_TOLERANCE = 0.05  # scanners round the echo time that was asked for


class Series(NamedTuple):
    """One series as dcm2niix wrote it: the volume, its sidecar, and what that says."""

    volume: Path
    sidecar: Path
    fields: Mapping[str, Any]

    @property
    def names(self) -> list[str]:
        """What the scanner called the series."""
        found = (self.fields.get(name) for name in ("SeriesDescription", "ProtocolName"))
        return [str(name) for name in found if name]

    def __str__(self) -> str:
        number, echo = self.fields.get("SeriesNumber"), self.fields.get("EchoTime")
        told = f"{' / '.join(dict.fromkeys(self.names)) or 'no name'}"
        return f"{told} (series {number}, EchoTime {echo} s)"


def convert_patient(
    source: str | Path,
    session: str,
    contrasts: Mapping[str, Mapping[str, Any]],
    output: str | Path,
) -> dict[str, str]:
    """Convert one patient's DICOM folder, and keep the one series of each contrast.

    Parameters
    ----------
    source
        Folder with the DICOM files, in sub-folders of any depth up to 9.
    session
        Name for the scans, `sub-01`.
    contrasts
        Configuration of each contrast. Its `series` is a pattern (`*` and `?`, no matter the
        case) of the series' description or protocol, by default the contrast's name anywhere in
        them. Where several match, `te` (seconds) picks the echo.
    output
        Folder to make: `anat` with a volume and a sidecar for each contrast, named as in BIDS.

    Returns
    -------
        What the scanner called the series of each contrast.

    Raises
    ------
    InputError
        If no DICOM file can be converted, or with one sentence for each contrast that no series
        or several match.
    """
    with tempfile.TemporaryDirectory() as temporary:
        series = run_dcm2niix(source, temporary)
        chosen, problems = {}, []
        for contrast, settings in contrasts.items():
            try:
                chosen[contrast] = choose_series(series, contrast, settings, source)
            except InputError as error:
                problems.append(str(error))
        raise_together(problems)
        with folder_written_whole(output) as folder:
            (folder / "anat").mkdir()
            for contrast, one in chosen.items():
                stem = folder / "anat" / scan_name(session, contrast, None)
                shutil.copyfile(one.volume, stem.with_name(f"{stem.name}.nii.gz"))
                shutil.copyfile(one.sidecar, stem.with_name(f"{stem.name}.json"))
    return {contrast: str(one) for contrast, one in chosen.items()}


def run_dcm2niix(source: str | Path, output: str | Path) -> list[Series]:
    """Convert every series of a folder; dates and names of persons are left out of the sidecars.

    Raises
    ------
    InputError
        If the program is missing, or converts nothing.
    """
    if not Path(source).is_dir():
        raise InputError(f"{source} is no folder; each patient's DICOM files lie in one.")
    command = [_program(), "-f", "%s", "-z", "i", "-b", "y", "-ba", "y", "-d", "9", "-g", "i"]
    done = subprocess.run(
        [*command, "-o", str(output), str(source)], capture_output=True, text=True, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    for line in said:
        if line.lower().startswith(("warning", "error")):
            logging.getLogger(__name__).warning("dcm2niix: %s", line)
    series = [
        Series(volume, sidecar, read_json(sidecar))
        for sidecar in sorted(Path(output).glob("*.json"))
        if (volume := sidecar.with_name(f"{sidecar.stem}.nii.gz")).exists()
    ]
    if not series:
        raise InputError(
            f"{source} gave no scan: dcm2niix ended with status {done.returncode} and said "
            f"{(said or ['nothing'])[-1]!r}; check that the DICOM files of this patient lie there "
            "complete, or exclude the patient."
        )
    return series


def choose_series(
    series: list[Series], contrast: str, settings: Mapping[str, Any], source: str | Path
) -> Series:
    """Choose the one series of a contrast.

    Raises
    ------
    InputError
        If none or several match.
    """
    pattern = settings.get("series") or f"*{contrast}*"
    matching = [
        one
        for one in series
        if any(fnmatchcase(name.lower(), pattern.lower()) for name in one.names)
    ]
    te = settings.get("te")
    if len(matching) > 1 and te is not None:
        echoes = [one for one in matching if _close(one.fields.get("EchoTime"), te)]
        matching = echoes or matching
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise InputError(
            f"{source} has {len(matching)} series for contrast {contrast} (`series: {pattern}`): "
            f"{_listed(matching)}; write a pattern that only one matches, give `te` to pick an "
            "echo, or take the other files out."
        )
    raise InputError(
        f"{source} has no series for contrast {contrast} (`series: {pattern}`) but "
        f"{_listed(series)}; correct the pattern, or exclude the patient."
    )


def _close(echo: Any, te: float) -> bool:
    return isinstance(echo, int | float) and abs(echo - te) <= ECHO_TOLERANCE * te


def _listed(series: list[Series]) -> str:
    return "; ".join(str(one) for one in series)


def _program() -> str:
    """Path of dcm2niix: that of its wheel, or (conda) the one on the path."""
    try:
        import dcm2niix
    except ImportError:
        found = shutil.which("dcm2niix")
        if found is None:
            raise InputError(
                "The program dcm2niix is missing; install it with `pip install dcm2niix` or "
                "from conda-forge."
            ) from None
        return found
    return str(dcm2niix.bin)
