"""Fits within a mask, and the lines of Python that the documentation shows."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.scans import write_scan
from pipeline_lib.quantify.derivatives import NAMES
from pipeline_lib.quantify.fit import fit
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.quantify.volumes import fit_volumes, gains_of
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

ROOT = Path(__file__).parents[2]
SEQUENCES = [
    Sequence("SE", 0.075, 4.5),
    Sequence("SE", 0.008, 0.4),
    Sequence("SE", 0.008, 4.5),
    Sequence("IR-FSE", 0.03, 4.0, 0.22, 0.06),
]
SHAPE = (6, 5, 4)


def images_of(sequences, noise=0.005):
    t1 = np.linspace(0.3, 2.0, 120).reshape(SHAPE)
    clean = np.stack([signal(s, 0.9, t1, 0.06) for s in sequences])
    rng = np.random.default_rng(0)
    return np.abs(clean + noise * rng.standard_normal(clean.shape)).astype(np.float32), t1


def test_maps_have_the_shape_of_the_mask_and_the_values_of_the_fit():
    images, _ = images_of(SEQUENCES)
    inside = np.zeros(SHAPE, dtype=bool)
    inside[1:4, :, 2] = True
    options = {"gains": [1, 1, 1.02, 1], "sigma": 0.01, "rician": True}
    volumes = fit_volumes(images, SEQUENCES, inside, **options)
    maps = fit(images[:, inside].T, SEQUENCES, **options)
    assert set(volumes.values) == set(NAMES)
    for name, values in volumes.values.items():
        assert values.shape == SHAPE
        assert (values[~inside] == 0).all()
        np.testing.assert_allclose(values[inside], getattr(maps, name.lower()), rtol=1e-6)
    assert volumes.sigma == 0.01
    assert (volumes.values["flag"][~inside] == Flag.NOT_FITTED).all()


def test_an_empty_mask_is_told():
    images, _ = images_of(SEQUENCES)
    with pytest.raises(InputError, match="no voxel to fit"):
        fit_volumes(images, SEQUENCES, np.zeros(SHAPE, dtype=bool))


def test_gains_are_1_where_none_is_named():
    assert gains_of(["a", "b", "c"], {"b": 2}) == [1.0, 2.0, 1.0]
    with pytest.raises(InputError, match=r"^a gain is given for T1v, .* \(did you mean T1w\?\)"):
        gains_of(["T1w", "PDw"], {"T1v": 2.0})


def test_the_lines_of_the_documentation_run(tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs/methods.md").read_text()
    [lines] = [each for each in re.findall(r"```python\n(.*?)```", text, re.S) if "fit_vol" in each]
    images, t1 = images_of(SEQUENCES)
    for name, image in zip(("t2w", "t1w", "pdw", "stir"), images, strict=True):
        write_scan(tmp_path / f"{name}.nii.gz", 500 * image, np.eye(4))
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(compile(lines, "methods.md", "exec"), found)
    assert list(found["protocol"].values()) == SEQUENCES
    assert found["good"].mean() > 0.9
    np.testing.assert_allclose(found["maps"].values["T1"], t1, rtol=0.2)
    median, sigma = re.match(r"(\S+) s, noise (\S+)", capsys.readouterr().out).groups()
    assert float(median) == pytest.approx(1.15, rel=0.05)
    assert float(sigma) == pytest.approx(2.5, rel=0.25)
