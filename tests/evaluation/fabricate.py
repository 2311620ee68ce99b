"""Slice stores small enough to compute by hand, and predictions for them."""

import json

import numpy as np

from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.images import Images
from pipeline_lib.slices.store import PatientSlices

CONTRASTS = {
    "T2w": Sequence("SE", 0.075, 4.5),
    "T1w": Sequence("SE", 0.008, 0.4),
    "PDw": Sequence("SE", 0.008, 4.5),
}
TISSUES = {
    1: ("fat", 0.9, 0.382, 0.068),
    2: ("muscle", 0.8, 1.412, 0.050),
    3: ("bone", 0.1, 1, 0.1),
}


def patient(name, noise=0.01, size=48, slices=3, contrasts=None):
    """A disc of muscle within a ring of fat, with a bone of fewer than 50 voxels."""
    contrasts = CONTRASTS if contrasts is None else contrasts
    rng = np.random.default_rng([ord(letter) for letter in name])
    rows, columns = np.mgrid[:size, :size]
    radius = np.hypot(rows - 0.45 * size, columns - 0.5 * size + rng.uniform(-2, 2))
    plane = np.select([radius < 1.5, radius < 0.2 * size, radius < 0.35 * size], [3, 2, 1], 0)
    tissues = np.repeat(plane[None], slices, axis=0).astype(np.uint8)
    texture = 1 + 0.1 * np.sin(rows / 5) * np.cos(columns / 4)
    images = np.zeros((slices, len(contrasts), size, size))
    for index, sequence in enumerate(contrasts.values()):
        for label, (_, pd, t1, t2) in TISSUES.items():
            tissue = signal(sequence, pd, t1 * texture, t2 * texture)
            images[:, index] += (tissues == label) * tissue
    images = np.hypot(
        images + noise * rng.standard_normal(images.shape),
        noise * rng.standard_normal(images.shape),
    )
    return PatientSlices(
        patient=name,
        contrasts=contrasts,
        images=images.astype(np.float32),
        body=(tissues > 0).astype(np.uint8),
        tissues=tissues,
        tissue_names={label: values[0] for label, values in TISSUES.items()},
        sessions=(name,) * slices,
        indices=tuple(range(slices)),
        scale=1.0,
        spacing=(2.0, 2.0),
        geometry={},
    )


def leaked(slices, share=0.5, seed=0):
    """Images of a leaked split for training and for the test: every image is in one of them."""
    held = np.random.default_rng(seed).random(slices.images.shape[:2]) < share
    return Images(slices, held), Images(slices, ~held)


NAMES = list(CONTRASTS)
EVERY_PAIR = [(source, target) for source in range(3) for target in range(3)]
NAMED_PAIRS = [[NAMES[source], NAMES[target]] for source, target in EVERY_PAIR]


def write_predictions(folder, patients, predict, pairs=EVERY_PAIR):
    """Write what `predict(slices, source, target)` gives, in the form of the stage predict."""
    folder.mkdir()
    values = [np.stack([predict(s, *pair) for pair in pairs], axis=1) for s in patients]
    np.save(folder / "predictions.npy", np.concatenate(values).astype(np.float16))
    lines = ["patient,session,slice"]
    lines += [f"{s.patient},{s.sessions[i]},{i}" for s in patients for i in range(len(s))]
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    named = [[NAMES[source], NAMES[target]] for source, target in pairs]
    described = {"contrasts": NAMES, "pairs": named, "system": "none"}
    (folder / "predictions.json").write_text(json.dumps(described))
    return folder
