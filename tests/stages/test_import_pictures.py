"""The stage import_pictures, on drawn pictures and on five of BrainWeb's."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline_lib.slices.store import PatientSlices
from pipeline_lib.stages import import_pictures

REAL = Path(__file__).parents[3] / "shared/data/brainweb_narang"
TIMES = {
    "default": (0.05, 4.5),
    "tr30te90": (0.09, 3.0),
    "tr34te40": (0.04, 3.4),
    "tr60te75": (0.075, 6.0),
    "tr80te120": (0.12, 8.0),
}


def run(monkeypatch, output, pictures):
    names = list(TIMES)[: len(pictures)]
    options = {
        "contrasts": {
            name: {"sequence": "SE", "te": TIMES[name][0], "tr": TIMES[name][1], "file": path.name}
            for name, path in zip(names, pictures, strict=True)
        },
        "reference": "default",
        "scale": {"percentile": 99.9},
        "slices": {
            "size": [96, 96], "spacing": None, "orientation": "axial", "minimum_body": 0.02,
        },
    }  # fmt: skip
    arguments = ["import_pictures", "--pictures", *map(str, pictures), "--patient", "sub-brainweb"]
    arguments += ["--output", str(output), "--options", json.dumps(options)]
    monkeypatch.setattr("sys.argv", arguments)
    import_pictures.main()
    return PatientSlices.open(output)


def test_pictures_become_a_store_in_their_order(tmp_path, monkeypatch):
    grey = np.zeros((48, 48), dtype=np.uint8)
    grey[8:40, 8:40] = 80
    pictures = [tmp_path / "a.png", tmp_path / "b.png"]
    for factor, path in enumerate(pictures, start=1):
        Image.fromarray(factor * grey).save(path)
    store = run(monkeypatch, tmp_path / "out", pictures)
    assert (store.patient, list(store.contrasts)) == ("sub-brainweb", ["default", "tr30te90"])
    assert (store.contrasts["tr30te90"].te, store.contrasts["tr30te90"].tr) == (0.09, 3.0)
    np.testing.assert_allclose(store.images[0, :, 48, 48], [1, 2], rtol=1e-6)
    assert store.body[0].sum() == 64 * 64


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL} is absent")
def test_five_pictures_of_brainweb_are_one_head_in_five_contrasts(tmp_path, monkeypatch):
    pictures = [REAL / f"TR={tr},TE={te}.jpg" for te, tr in TIMES.values()]
    store = run(monkeypatch, tmp_path / "out", pictures)
    assert store.images.shape == (1, 5, 96, 96)
    assert 0.6 < store.body.mean() < 0.8
    inside = store.images[0][:, store.body[0] > 0]
    assert np.percentile(inside[0], 99.9) == pytest.approx(1.0, abs=1e-5)
    alike = np.corrcoef(inside)
    assert alike.min() > 0.7
    assert alike[np.triu_indices(5, 1)].max() < 0.999
