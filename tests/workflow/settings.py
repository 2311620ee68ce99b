"""A configuration that uses every setting, and another legal value for each of them."""

from copy import deepcopy

import yaml

from pipeline_lib.configuration import read_configuration
from tests.workflow.conftest import ROOT

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
SCALES = yaml.safe_load((ROOT / "config/scales.yaml").read_text())
SYSTEMS = SCHEMA["$defs"]["model"]["properties"]["system"]["enum"]
REMOVED = object()

# ANY and ONE become the models of systems for any pair of contrasts and for one.
EVERY = """
seed: 7
datasets:
  virtual:
    virtual:
      {anatomy: pelvis, patients: 5, size: [48, 48, 8], spacing: [8.0, 8.0, 12.0], signal: epg,
       b1_field: 0.2, b0_field: 1.0, bandwidth: 200, k_space: 0.9, slice_thickness: 5.0}
    contrasts:
      A: {sequence: SE, te: 0.01, tr: 4.5}
      B: {sequence: FSE, te: 0.08, te_last: 0.16, echoes: 16, refocusing: 150, tr: 4.5}
      C: {sequence: IR-SE, te: 0.01, tr: 4.5, ti: 0.4}
    reference: A
  drawn:
    virtual: {anatomy: pelvis, patients: 2, size: [48, 48, 8]}
    contrasts: {A: {sequence: SE, te: 0.01, tr: 4.5}}
    drawn_contrasts: {count: 3, te: [0.02, 0.2], tr: [1.2, 10.0]}
    reference: A
  scans:
    bids: {root: bids}
    contrasts:
      T1w: {sequence: SE, te: 0.01, tr: 0.5}
      T2w: {match: acq-x_T2w}
      PDw: {sequence: IR-FSE, te: 0.08, tr: 4.5, ti: 0.4, te_last: 0.16, echoes: 16,
            refocusing: 150}
    reference: T1w
    segment: {tissues: dseg}
  clinic:
    dicom: {root: dicom}
    contrasts:
      T1w: {series: "a*", sequence: IR-FSE, te: 0.08, tr: 4.5, ti: 0.4, te_last: 0.16,
            echoes: 16, refocusing: 150}
      T2w: {series: "b*"}
    reference: T1w
    fit_maps: {activate: false}
  pictures:
    pictures: {root: pictures}
    contrasts:
      A: {sequence: SE, te: 0.01, tr: 3.0, file: a.png}
      B: {file: b.png, sequence: IR-FSE, te: 0.08, tr: 4.5, ti: 0.4, te_last: 0.16, echoes: 16,
          refocusing: 150}
    reference: A
experiments:
  folds:
    dataset: virtual
    split: {folds: 2, validation: 1, seen: 1}
    pairs: [[A, B], [A, C]]
    unseen: [C]
    external: [pictures]
    paper: simko2021
    models: ANY
  counted:
    dataset: scans
    split: {train: 1, validation: 1, test: 1, seen: 1}
    pairs: [[T1w, T2w]]
    models: ONE
  listed:
    dataset: clinic
    split: {train: [sub-a, sub-b], validation: [sub-c], test: [sub-d]}
    pairs: [[T1w, T2w], [T2w, T1w]]
    models: [unet]
  leaked:
    dataset: drawn
    split: {leaked: image, train: 0.5, patients: [sub-001]}
    pairs: {drawn: 2, sources: [A]}
    unseen: {drawn: 1}
    models: [crl_code]
"""
ONE = ["alkan", "pgan", "ptnet", "resvit", "unet_plain"]
DATA = {
    "bids": [
        f"sub-{patient}/anat/sub-{patient}_{name}"
        for patient in ("001", "002", "003", "004")
        for contrast in ("T1w", "PDw", "acq-x_T2w", "acq-y_T2w")
        for name in (f"{contrast}.nii.gz", f"{contrast}.json")
    ]
    + [
        f"derivatives/x/sub-{patient}/anat/sub-{patient}_dseg.nii.gz"
        for patient in ("001", "002", "003", "004")
    ],
    "dicom": [f"{patient}/1.dcm" for patient in "abcde"],
    "pictures": ["a.png", "b.png", "c.png"],
}  # fmt: skip

# Contrasts with an echo train, one in each kind of dataset.
TRAINS = [
    f"datasets.{name}"
    for name in (
        "virtual.contrasts.B",
        "scans.contrasts.PDw",
        "clinic.contrasts.T1w",
        "pictures.contrasts.B",
    )
]
# Where another value can't be derived from the schema: for each setting the changes, one after the
# other, each of one assignment or of some that only go together.
BY_HAND = {
    "datasets.*": [
        {"datasets.more": {"pictures": {"root": "pictures"}, "reference": "A",
         "contrasts": {"A": {"te": 0.01, "tr": 3.0, "file": "a.png"}}},
         "experiments.folds.external": ["pictures", "more"]},
    ],
    "datasets.*.bids.root": [{"datasets.scans.bids.root": "other/bids"}],
    "datasets.*.dicom.root": [{"datasets.clinic.dicom.root": "other/dicom"}],
    "datasets.*.pictures.root": [{"datasets.pictures.pictures.root": "other/pictures"}],
    "datasets.*.exclude": [
        {"datasets.virtual.exclude": ["sub-005"]}, {"datasets.scans.exclude": ["sub-004"]},
        {"datasets.clinic.exclude": ["sub-e"]},
    ],
    "datasets.*.virtual.signal": [
        {"datasets.drawn.virtual.signal": "simko"},
        {"datasets.virtual.virtual.signal": "exact", "datasets.virtual.virtual.b1_field": 0.0,
         "datasets.virtual.contrasts.B.refocusing": 180},
    ],
    "datasets.*.virtual.b1_field": [{"datasets.virtual.virtual.b1_field": 0.1}],
    "datasets.*.virtual.b0_field": [{"datasets.virtual.virtual.b0_field": 0.5}],
    "datasets.*.virtual.label_file": [{"datasets.virtual.virtual.label_file": "model.mat"}],
    "datasets.*.contrasts.*": [
        {"datasets.virtual.contrasts.D": {"sequence": "SE", "te": 0.02, "tr": 4.5}},
        {"datasets.scans.contrasts.x": {"match": "acq-y_T2w"}},
        {"datasets.clinic.contrasts.PDw": {"series": "d*"}},
        {"datasets.pictures.contrasts.D": {"te": 0.05, "tr": 3.0, "file": "c.png"}},
    ],
    "datasets.*.contrasts.*.sequence": [
        {"datasets.virtual.contrasts.B.sequence": "SE",
         **{f"datasets.virtual.contrasts.B.{key}": REMOVED
            for key in ("te_last", "echoes", "refocusing")}},
        {"datasets.scans.contrasts.T1w.sequence": "FSE"},
        {"datasets.clinic.contrasts.T1w.sequence": "FSE",
         "datasets.clinic.contrasts.T1w.ti": REMOVED},
        {"datasets.pictures.contrasts.A.sequence": "IR-SE",
         "datasets.pictures.contrasts.A.ti": 0.4},
    ],
    "datasets.*.contrasts.*.te": [
        {"datasets.virtual.contrasts.A.te": 0.02}, {"datasets.scans.contrasts.T1w.te": 0.02},
        {"datasets.clinic.contrasts.T1w.te": 0.04}, {"datasets.pictures.contrasts.A.te": 0.02},
    ],
    "datasets.*.contrasts.*.tr": [
        {"datasets.virtual.contrasts.A.tr": 2.5}, {"datasets.scans.contrasts.T1w.tr": 2.5},
        {"datasets.clinic.contrasts.T1w.tr": 2.5}, {"datasets.pictures.contrasts.A.tr": 2.5},
    ],
    "datasets.*.contrasts.*.te_last": [{f"{name}.te_last": 0.32} for name in TRAINS],
    "datasets.*.contrasts.*.echoes": [{f"{name}.echoes": 8} for name in TRAINS],
    "datasets.*.contrasts.*.match": [{"datasets.scans.contrasts.T2w.match": "acq-y_T2w"}],
    "datasets.*.contrasts.*.file": [{"datasets.pictures.contrasts.A.file": "c.png"}],
    "datasets.*.drawn_contrasts.count": [{"datasets.drawn.drawn_contrasts.count": 4}],
    "datasets.*.drawn_contrasts.te": [{"datasets.drawn.drawn_contrasts.te": [0.03, 0.2]}],
    "datasets.*.drawn_contrasts.tr": [{"datasets.drawn.drawn_contrasts.tr": [1.5, 10.0]}],
    "datasets.*.reference": [
        {"datasets.virtual.reference": "B"}, {"datasets.scans.reference": "T2w"},
        {"datasets.clinic.reference": "T2w"}, {"datasets.pictures.reference": "B"},
    ],
    "datasets.*.segment.tissues": [
        {"datasets.virtual.segment": {"tissues": "atropos"}},
        {"datasets.scans.segment": {"tissues": "atropos"}},
        {"datasets.clinic.segment": {"tissues": "none"}},
    ],
    "datasets.*.slices.spacing": [
        {f"datasets.{name}.slices": {"spacing": [2.0, 2.0]}} for name in ("virtual", "pictures")
    ],
    "datasets.*.fit_maps.gains": [
        {"datasets.virtual.fit_maps": {"gains": {"A": 1.2}}},
        {"datasets.scans.fit_maps": {"gains": {"T1w": 1.2}}},
    ],
    "datasets.*.fit_maps.noise": [{"datasets.virtual.fit_maps": {"noise": 0.5}}],
    "datasets.*.fit_maps.rician": [
        {"datasets.virtual.fit_maps": {"noise": 0.5, "rician": True}},
    ],
    "experiments.*": [
        {"experiments.more": {"dataset": "clinic", "models": ["unet"], "split": {"test": 1}}},
    ],
    "experiments.*.dataset": [{"experiments.leaked.dataset": "virtual"}],
    "experiments.*.models": [{"experiments.listed.models": ["unet", "unet_plain"]}],
    "experiments.*.pairs": [{"experiments.listed.pairs": [["T1w", "T2w"]]}],
    "experiments.*.pairs.drawn": [{"experiments.leaked.pairs": {"drawn": 3, "sources": ["A"]}}],
    "experiments.*.pairs.sources": [
        {"experiments.leaked.pairs": {"drawn": 2, "sources": ["drawn001"]}},
    ],
    "experiments.*.unseen": [{"experiments.folds.unseen": []}],
    "experiments.*.unseen.drawn": [{"experiments.leaked.unseen": {"drawn": 2}}],
    "experiments.*.external": [{"experiments.folds.external": ["pictures", "scans"]}],
    "experiments.*.split.folds": [{"experiments.folds.split.folds": 3}],
    "experiments.*.split.leaked": [{"experiments.leaked.split.leaked": "slice"}],
    "experiments.*.split.patients": [{"experiments.leaked.split.patients": ["sub-002"]}],
    "experiments.*.split.seen": [
        {"experiments.folds.split.seen": 0}, {"experiments.counted.split.seen": 0},
    ],
    "experiments.*.split.train": [
        {"experiments.counted.split.train": 2}, {"experiments.leaked.split.train": 0.6},
        {"experiments.listed.split.train": ["sub-a"]},
    ],
    "experiments.*.split.validation": [
        {"experiments.folds.split.validation": 0}, {"experiments.listed.split.validation": []},
    ],
    "experiments.*.split.test": [
        {"experiments.counted.split.test": 2},
        {"experiments.listed.split.test": ["sub-d", "sub-e"]},
    ],
    "models.*": [
        {"models.more": {"system": "unet"}, "experiments.listed.models": ["unet", "more"]},
    ],
}  # fmt: skip


def every():
    """Give the configuration, as YAML would be read."""
    config = yaml.safe_load(EVERY)
    config["models"] = {system: {"system": system} for system in SYSTEMS}
    config["experiments"]["folds"]["models"] = [s for s in SYSTEMS if s not in (*ONE, "unet")]
    config["experiments"]["counted"]["models"] = ONE
    return config


def make_data(folder):
    """Make the files that the configuration names, empty, in two places."""
    for root in (folder, folder / "other"):
        for kind, names in DATA.items():
            for name in names:
                path = root / kind / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()


def known_settings():
    """Give every setting that the schema knows, `*` for names: {setting: its part of the schema}.

    Those of models are left out, because each system has its own, and those of one value.
    """
    return dict(_known(SCHEMA, ""))


def _known(node, name):
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].removeprefix("#/$defs/")]
    parts = {
        key: child for key, child in node.get("properties", {}).items() if name or key != "models"
    }
    others = node.get("additionalProperties")
    is_setting = not parts or "array" in node["type"]
    if name and is_setting and not isinstance(others, dict) and len(node.get("enum", "ab")) > 1:
        yield name, node
    if isinstance(others, dict) and "$ref" not in others:
        yield name, node
    elif isinstance(others, dict):
        yield f"{name}.*", node
        yield from _known(others, f"{name}.*")
    for key, child in parts.items():
        yield from _known(child, f"{name}.{key}".lstrip("."))


def model_settings():
    """Give every setting of models: {key: the systems that have it}."""
    every_system = SCALES["smoke"]["every_system"]
    keys = dict.fromkeys([*every_system, *(key for s in SYSTEMS for key in SCALES["smoke"][s])])
    return {
        key: [s for s in SYSTEMS if key in every_system or key in SCALES["smoke"][s]]
        for key in keys
    }


def changes():
    """Give each setting's changes: {setting: [assignments, ...]}, those of models by system."""
    complete, _ = read_configuration(every(), ROOT)
    found = {}
    for name, node in known_settings().items():
        found[name] = BY_HAND.get(name) or [
            {path: other(value, node)} for path, value in _places(complete, name.split("."))
        ]
    found["models.*"] = BY_HAND["models.*"]
    nodes = SCHEMA["$defs"]["model"]["properties"]
    for key, systems in model_settings().items():
        for system in systems:
            value = complete["models"][system][key]
            path = f"models.{system}.{key}"
            found[path] = [
                {path: "A" if key == "default_source" else other(value, _node(nodes, key))}
            ]
    for system in SYSTEMS:
        alike = ONE if system in ONE else [each for each in SYSTEMS if each not in ONE]
        another = next(each for each in alike if each != system)
        for key, value in (("scale", "reduced"), ("system", another)):
            found[f"models.{system}.{key}"] = [{f"models.{system}.{key}": value}]
    return found


def _node(nodes, key):
    node = nodes.get(key, {})
    return SCHEMA["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node


def _places(value, keys, path=()):
    """Give the places of a setting in a configuration, and its value at each."""
    if not keys:
        yield ".".join(path), value
    elif isinstance(value, dict):
        for key in value if keys[0] == "*" else [keys[0]]:
            if key in value:
                yield from _places(value[key], keys[1:], (*path, key))


def other(value, node):
    """Give another value that the schema allows."""
    if "enum" in node:
        return next(each for each in node["enum"] if each != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, list):
        first = value[0]
        return value[:-1] if isinstance(first, str) else [other(first, {}), *value[1:]]
    if isinstance(value, str):
        return f"{value}x"
    near = {
        int: lambda: (value + 1, value - 1),
        float: lambda: (value / 2, value * 0.99, 0.5),
        type(None): lambda: (0.5, 100.0),
    }[type(value)]()
    return next(each for each in near if each != value and _within(each, node))


def _within(value, node):
    return (
        node.get("minimum", value) <= value <= node.get("maximum", value)
        and value > node.get("exclusiveMinimum", value - 1)
        and value < node.get("exclusiveMaximum", value + 1)
    )


def changed(assignments):
    """Give the configuration after some assignments, by dotted names."""
    config = deepcopy(every())
    for path, value in assignments.items():
        *sections, last = path.split(".")
        place = config
        for section in sections:
            place[section] = place.get(section) or {}
            place = place[section]
        if value is REMOVED:
            del place[last]
        else:
            place[last] = value
    return config
