"""FreeSurfer's labels, gathered into the classes of Alkan et al. 2017."""

import numpy as np
import pytest

from pipeline_lib.errors import InputError
from pipeline_lib.imaging.freesurfer import CLASSES, class_names, class_of_labels, tissues_of_wmparc
from pipeline_lib.imaging.scans import write_scan

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (3, "grey_matter"), (1035, "grey_matter"), (2001, "grey_matter"),
        (41, "white_matter"), (3028, "white_matter"), (5002, "white_matter"), (253, "white_matter"),
        (4, "cerebral_spinal_fluid"), (24, "cerebral_spinal_fluid"),
        (17, "subcortical"), (16, "subcortical"), (62, "vessel"),
        (47, "cerebellum"), (7, "cerebellum"), (85, "unknown"), (31, "unknown"),
    ],
)  # fmt: skip
def test_a_label_belongs_to_its_class(label, name):
    assert class_names()[int(class_of_labels(np.array([label]))[0])] == name


def test_there_are_seven_classes_beside_the_brain_and_0_is_outside():
    assert list(class_names()) == [1, 2, 3, 4, 5, 6, 7]
    assert class_of_labels(np.array([0]))[0] == 0


def test_no_label_is_in_two_classes():
    members = [label for groups in CLASSES.values() for group in groups for label in group]
    assert len(members) == len(set(members))


def test_a_volume_is_carried_to_the_reference_grid(tmp_path):
    labels = np.zeros((6, 6, 4), dtype=np.int16)
    labels[2:4, 1:3, 1] = 4010
    labels[4, 4, 2] = 1001
    path = tmp_path / "sub-1_desc-wmparc_dseg.nii.gz"
    write_scan(path, labels, AFFINE, dtype=np.int16)
    shifted = AFFINE.copy()
    shifted[0, 3] = 2.0
    tissues = tissues_of_wmparc(path, shifted, labels.shape)
    assert tissues.names[2] == "white_matter"
    assert (tissues.labels[1:3, 1:3, 1] == 2).all()
    assert tissues.labels[3, 4, 2] == 1
    assert (tissues.labels > 0).sum() == 5


def test_an_interpolated_volume_is_refused(tmp_path):
    path = tmp_path / "sub-1_dseg.nii.gz"
    write_scan(path, np.full((4, 4, 4), 2.5, dtype=np.float32), AFFINE, dtype=np.float32)
    with pytest.raises(InputError, match="without interpolation"):
        tissues_of_wmparc(path, AFFINE, (4, 4, 4))
