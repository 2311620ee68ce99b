"""Maps as BIDS derivatives: nothing is lost on disk, and every voxel lies where its scan has it."""

import json
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.files import read_json
from pipeline_lib.quantify.derivatives import (
    IGNORED,
    NAMES,
    check_place,
    described,
    path_of,
    read_map,
    write_description,
    write_maps,
)
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.slices.cut import SessionVolumes, SliceSettings, cut_session, join_sessions

SEQUENCES = {"PDw": Sequence("SE", 0.008, 4.5)}
# Indices run to the left, to the front and upwards, turned by 0.2 about the long axis of the body.
TURN = np.array([[np.cos(0.2), -np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
AFFINE = np.eye(4)
AFFINE[:3, :3] = TURN @ np.diag([-2.0, 1.5, 5.0])
AFFINE[:3, 3] = (30, -20, 7)


def reference(seed):
    """A registered reference scan, every voxel of its own value."""
    return np.random.default_rng(seed).uniform(0.5, 1, (18, 22, 6)).astype(np.float32)


def cut(scans, orientation="axial", size=(30, 26)):
    body = np.zeros((18, 22, 6), dtype=np.uint8)
    body[3:15, 4:19, 1:5] = 1
    settings = SliceSettings(size, None, orientation, minimum_body=0.01)
    sessions = [
        cut_session(SessionVolumes(name, {"PDw": image}, body, body, AFFINE), settings, 1.0)
        for name, image in scans.items()
    ]
    return join_sessions("sub-01", sessions, SEQUENCES, {1: "fat"}, 1.0)


def maps_of(slices):
    """As T1 the reference itself, so that the map must overlay it."""
    image = slices.images[:, 0]
    values = {name: image * (place + 1) for place, name in enumerate(NAMES)}
    values["T1"] = image
    values["T1_bound"] = np.where(slices.body > 0, np.float32(np.inf), np.float32(np.nan))
    values["iterations"] = np.full(image.shape, 300, dtype=np.uint16)
    values["flag"] = np.full(image.shape, Flag.AT_BOUND, dtype=np.uint8)
    return values


@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal"])
def test_each_map_comes_back_as_it_was_fitted(tmp_path, orientation):
    names = ("sub-01_ses-1", "sub-01_ses-2")
    scans = {name: reference(seed) for seed, name in enumerate(names)}
    slices = cut(scans, orientation)
    assert 0 < len(slices) < sum(volume["slices"] for volume in slices.geometry.values())
    values = maps_of(slices)
    write_maps(tmp_path, slices, values, {})
    for name in NAMES:
        found = read_map(tmp_path, slices, name)
        assert found.dtype == values[name].dtype
        np.testing.assert_array_equal(found, values[name])
    assert (tmp_path / "ses-2/anat/sub-01_ses-2_T1map.nii.gz").exists()


@pytest.mark.parametrize("orientation", ["axial", "coronal", "sagittal"])
def test_the_map_overlays_the_reference_voxel_by_voxel(tmp_path, orientation):
    scan = reference(0)
    slices = cut({"sub-01": scan}, orientation)
    write_maps(tmp_path, slices, maps_of(slices), {})
    image = nibabel.load(path_of(tmp_path, "sub-01", "T1"))
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-5)
    values = image.get_fdata(dtype=np.float32)
    places = np.argwhere(values > 0)
    world = nibabel.affines.apply_affine(image.affine, places)
    voxels = nibabel.affines.apply_affine(np.linalg.inv(AFFINE), world)
    np.testing.assert_allclose(voxels, voxels.round(), atol=1e-3)
    np.testing.assert_array_equal(
        values[tuple(places.T)], scan[tuple(voxels.round().astype(int).T)]
    )
    # Nothing but the slices with too little body is left out.
    assert len(places) == len(slices) * scan.size / slices.geometry["sub-01"]["slices"]


def test_slices_of_the_size_of_the_volume_give_the_grid_of_the_canonical_scan(tmp_path):
    scan = reference(0)
    body = np.zeros(scan.shape, dtype=np.uint8)
    body[:, :, 2:] = 1
    whole = SessionVolumes("sub-01", {"PDw": scan}, body, body, AFFINE)
    settings = SliceSettings((22, 18), None, "axial", minimum_body=0.02)
    slices = join_sessions("sub-01", [cut_session(whole, settings, 1.0)], SEQUENCES, {}, 1.0)
    write_maps(tmp_path, slices, maps_of(slices), {})
    image = nibabel.load(path_of(tmp_path, "sub-01", "T1"))
    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(scan * (body > 0), AFFINE))
    np.testing.assert_allclose(image.affine, canonical.affine, atol=1e-4)
    np.testing.assert_array_equal(image.get_fdata(), canonical.get_fdata())


def test_sidecars_name_units_flags_and_what_was_fitted(tmp_path):
    slices = cut({"sub-01": reference(0)})
    fields = described(SEQUENCES, "exact", float("nan"), True, {"PDw": 1.5}, ["../a.nii.gz"])
    write_maps(tmp_path, slices, maps_of(slices), fields)
    anat = tmp_path / "anat"
    sidecars = {path.name: read_json(path) for path in anat.glob("*.json")}
    assert len(sidecars) == len(list(anat.glob("*.nii.gz"))) == len(NAMES)
    assert sidecars["sub-01_T1map.json"]["Units"] == "s"
    assert sidecars["sub-01_desc-bound_T2map.json"]["Units"] == "s"
    assert sidecars["sub-01_PDmap.json"]["Units"] == "arbitrary"
    levels = sidecars["sub-01_desc-flag_fit.json"]["Levels"]
    assert set(levels) == {str(int(flag)) for flag in Flag}
    assert levels[str(int(Flag.AT_BOUND))].startswith("T1 or T2 ended on a limit")
    of_t1 = sidecars["sub-01_T1map.json"]
    assert of_t1["SkullStripped"] is False  # what the BIDS validator asks of every map
    assert of_t1["Contrasts"]["PDw"] == {"sequence": "SE", "te": 0.008, "tr": 4.5}
    assert of_t1["NoiseStandardDeviation"] is None  # NaN is no JSON
    assert "maximum likelihood" in of_t1["EstimationAlgorithm"]
    assert (of_t1["Gains"], of_t1["Sources"]) == ({"PDw": 1.5}, ["../a.nii.gz"])


def test_the_folder_is_a_derivative_that_ignores_what_bids_does_not_name(tmp_path):
    write_description(tmp_path, "maps")
    description = read_json(tmp_path / "dataset_description.json")
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "Recontrast"
    assert (tmp_path / ".bidsignore").read_text().splitlines() == list(IGNORED)
    check_place(tmp_path)  # its own may be written again


def test_the_description_of_another_dataset_is_not_overwritten(tmp_path):
    (tmp_path / "dataset_description.json").write_text(json.dumps({"Name": "raw"}))
    with pytest.raises(InputError, match=r"another BIDS dataset; .*derivatives/recontrast\.$"):
        check_place(tmp_path)


def test_maps_that_do_not_fit_the_slices_are_told(tmp_path):
    slices = cut({"sub-01": reference(0)})
    with pytest.raises(InputError, match=r"T1map\.nii\.gz is missing; run the stage fit_maps"):
        read_map(tmp_path, slices, "T1")
    write_maps(tmp_path, slices, maps_of(slices), {})
    with pytest.raises(InputError, match="another grid than the slices of sub-01; delete"):
        read_map(tmp_path, cut({"sub-01": reference(0)}, size=(32, 26)), "T1")
    path = path_of(tmp_path, "sub-01", "T1")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"T1map\.nii\.gz can't be read"):
        read_map(tmp_path, slices, "T1")


def test_any_stack_of_slices_will_do(tmp_path):
    geometry = {"sub-01": {"affine": np.diag([5.0, 2, 2, 1]).tolist(), "slices": 3}}
    stack = SimpleNamespace(
        body=np.ones((1, 2, 2)), sessions=("sub-01",), indices=(1,), geometry=geometry
    )
    values = {name: np.ones((1, 2, 2), dtype=np.float32) for name in NAMES}
    write_maps(tmp_path, stack, values, {})
    volume = nibabel.load(path_of(tmp_path, "sub-01", "T1")).get_fdata()
    assert volume.sum() == 4  # the slices that were left out are 0
