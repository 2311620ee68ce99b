"""What the JSON files beside scans tell; standard library only, the Snakefile imports it."""

import csv
import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json
from pipeline_lib.signal.sequences import Sequence

EXTENSIONS = (".nii.gz", ".nii")
# Field of a sidecar for each time; that of the last echo is no field of BIDS but our own.
FIELDS = {
    "te": "EchoTime",
    "tr": "RepetitionTime",
    "ti": "InversionTime",
    "te_last": "EchoTrainLastEchoTime",
}
# Of a virtual scanner's train. The angle is no field of BIDS, which has the excitation's alone
# (FlipAngle); a train that doesn't tell it is a real one, whose echoes nothing here depends on and
# whose echo times need not lie evenly.
TRAIN_FIELDS = {"echoes": "EchoTrainLength", "refocusing": "EchoTrainRefocusingFlipAngle"}


def stem_of(scan: str | Path) -> str:
    """Name of a scan's file without `.nii.gz` or `.nii`."""
    name = Path(scan).name
    for extension in EXTENSIONS:
        name = name.removesuffix(extension)
    return name


def sidecar_of(scan: str | Path) -> Path:
    """Path of the JSON file beside a scan, whether it exists or not."""
    return Path(scan).with_name(f"{stem_of(scan)}.json")


def inherits(sidecar_name: str, scan: str | Path) -> bool:
    """Whether a JSON file of a folder above describes a scan (BIDS' inheritance principle).

    It does when it has the scan's suffix and no entity (`ses-1`, `acq-long`) that the scan lacks.
    """
    if not sidecar_name.endswith(".json"):
        return False
    *entities, suffix = sidecar_name.removesuffix(".json").split("_")
    *of_scan, suffix_of_scan = stem_of(scan).split("_")
    return suffix == suffix_of_scan and set(entities) <= set(of_scan)


def inherited_sidecars(scan: str | Path) -> list[Path]:
    """Sidecars of the folders above a scan that describe it, the most general first.

    The folders are those up to the one that holds `sub-*`.
    """
    paths = (
        folder / name
        for folder in _folders_above(Path(scan).parent)
        if folder.is_dir()
        for name in _json_names(folder, folder.stat().st_mtime_ns)
        if inherits(name, scan)
    )
    return [path for path in paths if path != sidecar_of(scan)]


def possible_sidecars(scans: Iterable[Path]) -> list[Path]:
    """All JSON files that lie where those of some scans would; quicker than asking for each."""
    beside = {scan.parent for scan in scans}
    folders = {above for folder in beside for above in _folders_above(folder)}
    return [
        folder / name
        for folder in sorted(beside | folders)
        if folder.is_dir()
        for name in _json_names(folder, folder.stat().st_mtime_ns)
    ]


def _folders_above(folder: Path) -> list[Path]:
    """Folders from that which holds `sub-*` down to one of scans; none outside a BIDS folder."""
    above: list[Path] = []
    for each in (folder, *folder.parents):
        above.insert(0, each)
        if each.name.startswith("sub-"):
            return [each.parent, *above]
    return []


def needs_sidecar(contrast: Mapping[str, Any]) -> bool:
    """Whether a contrast's configuration leaves times for the sidecar to tell."""
    times = ["te", "tr"]
    if str(contrast.get("sequence") or "").startswith("IR-"):
        times.append("ti")
    return any(contrast.get(time) is None for time in times)


def read_sequence(sidecar_path: str | Path, overrides: Mapping[str, Any]) -> Sequence:
    """Read the sequence of a scan from its sidecar and those it inherits from.

    Parameters
    ----------
    sidecar_path
        JSON file beside the scan; need not exist when `overrides` or the folders above tell all.
    overrides
        Configuration of the contrast: its `sequence`, `te`, `tr`, `ti` and `te_last` (seconds),
        `echoes` and `refocusing` (degrees), where given, come before the sidecar's.

    Raises
    ------
    InputError
        If the file is missing or no JSON, if a time is missing, no number, in milliseconds or at
        odds with the others, or if the sequence is of a kind without a signal equation here.
    """
    path = Path(sidecar_path)
    scan = path.with_suffix(".nii.gz")
    sources = [*inherited_sidecars(scan), *([path] if path.exists() else [])]
    if not sources and needs_sidecar(overrides):
        raise InputError(
            f"{path} is missing; add it with EchoTime and RepetitionTime in seconds, "
            "or give te and tr of the contrast in the configuration."
        )
    fields: dict[str, Any] = {}
    for source in sources:
        content = read_json(source)
        if not isinstance(content, dict):
            raise InputError(
                f"{source} holds no JSON object with names and values; write it again."
            )
        fields |= content
    values: dict[str, Any] = {
        name: _number(path, field, fields[field], "seconds")
        for name, field in FIELDS.items()
        if fields.get(field) is not None
    }
    if fields.get(TRAIN_FIELDS["refocusing"]) is not None:
        values |= {
            name: _number(path, field, fields.get(field), "echoes and degrees")
            for name, field in TRAIN_FIELDS.items()
        }
        if values["echoes"].is_integer():
            values["echoes"] = int(values["echoes"])
    names = ("sequence", *FIELDS, *TRAIN_FIELDS)
    given = {name: overrides[name] for name in names if overrides.get(name) is not None}
    values |= given
    if "sequence" not in values:
        values["sequence"] = _kind(path, fields, has_inversion=values.get("ti") is not None)
    try:
        return Sequence.from_mapping(values)
    except InputError as error:
        raise InputError(_sentence(path, fields, given, str(error))) from None


def read_labels(segmentation: str | Path) -> dict[int, str]:
    """Read the names of a segmentation's labels from the `.tsv` or `.json` beside it.

    The `.tsv` is BIDS' look-up table (columns `index` and `name`), the `.json` maps each label to
    its name; label 0 is background and left out.

    Raises
    ------
    InputError
        If neither exists, or if its content is of another form.
    """
    stem = Path(segmentation).with_name(stem_of(segmentation))
    table, mapping = stem.with_name(f"{stem.name}.tsv"), stem.with_name(f"{stem.name}.json")
    if table.exists():
        source, form = table, "columns index and name"
        with table.open(newline="") as file:
            rows: list[tuple[Any, Any]] = [
                (row.get("index"), row.get("name")) for row in csv.DictReader(file, delimiter="\t")
            ]
    elif mapping.exists():
        source, form = mapping, 'an object such as {"1": "fat"}'
        content = read_json(mapping)
        rows = list(content.items()) if isinstance(content, dict) else []
    else:
        raise InputError(f"{segmentation} has neither {table.name} nor {mapping.name}; add one.")
    try:
        labels = {int(label): name for label, name in rows}
    except (TypeError, ValueError):
        labels = {}
    labels.pop(0, None)
    if not labels or not all(isinstance(name, str) and name for name in labels.values()):
        raise InputError(f"{source} names no labels; write {form} there, labels above 0.")
    return labels


@cache
def _json_names(folder: Path, modified: int) -> tuple[str, ...]:
    """Names of a folder's JSON files, listed once a change: all scans share the root's listing."""
    with os.scandir(folder) as entries:
        return tuple(sorted(entry.name for entry in entries if entry.name.endswith(".json")))


def _number(path: Path, field: str, value: Any, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(
            f"{path}: {field} is {json.dumps(value)}, not one number; write it in {unit}, "
            "or give it in the contrast's section of the configuration."
        )
    return float(value)


def _kind(path: Path, fields: Mapping[str, Any], has_inversion: bool) -> str:
    """Kind of the sequence, as its type says it or, for dcm2niix, its DICOM codes.

    A sidecar that says nothing of it is taken for a spin echo, after inversion if it has a TI.
    """
    stated = fields.get("PulseSequenceType") or fields.get("ScanningSequence")
    if stated is None:
        return "IR-SE" if has_inversion else "SE"
    text = " ".join(stated) if isinstance(stated, list) else str(stated)
    words = text.lower().replace("-", " ").replace("_", " ").replace("\\", " ").replace("/", " ")
    names = set(words.split())
    # The last three are the vendors' names of three-dimensional trains.
    fast = bool(names & {"fse", "tse", "rare", "turbo", "fast", "cube", "space", "vista"})
    spin = fast or "spin echo" in words or bool(names & {"se", "spinecho"})
    if not spin or names & {"gr", "gradient", "gre", "ep", "epi", "mprage", "spgr", "flash"}:
        raise InputError(
            f"{path}: the sequence is {text!r}, no spin echo, so that its signal equation does "
            "not hold; leave the contrast out, or set `sequence:` of the contrast to SE, FSE, "
            "IR-SE or IR-FSE if the sidecar is wrong."
        )
    inverted = bool(names & {"ir", "inversion", "flair", "stir", "tirm"})
    trained = fast or (fields.get("EchoTrainLength") or 1) > 1
    return ("IR-" if inverted else "") + ("FSE" if trained else "SE")


def _sentence(
    path: Path, fields: Mapping[str, Any], given: Mapping[str, Any], complaint: str
) -> str:
    """Extend what `Sequence` complains of by the file, the fields and what to do."""
    read = [
        f"{field} {fields[field]:g}"
        for name, field in FIELDS.items()
        if name not in given and fields.get(field) is not None
    ]
    configured = [f"{name} {value}" for name, value in given.items()]
    origin = ", ".join([*read, *(f"{item} in the configuration" for item in configured)])
    return (
        f"{path} ({origin or 'without times'}): {complaint}. BIDS wants seconds in EchoTime, "
        "RepetitionTime and InversionTime; correct the file, or give sequence, te, tr and ti of "
        "the contrast in the configuration."
    )
