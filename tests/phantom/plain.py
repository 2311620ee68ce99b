"""The virtual scanner once more, as plainly as it can be written in NumPy."""

import numpy as np

from pipeline_lib.signal.equations import signed_signal


def signed_image(patient, sequence, form="exact"):
    """Signed signal of each fine voxel, [x, y, fine z], of a patient who has not moved."""
    total = np.zeros(int(np.prod(patient.grid.fine_size)), dtype=np.float32)
    for tissue in patient.voxels.values():
        values = signed_signal(sequence, tissue.pd, tissue.t1, tissue.t2, form)
        total[tissue.where] += tissue.share * values
    return total.reshape(patient.grid.fine_size)


def over_slices(grid, fine):
    """Mean of [x, y, fine z] over the parts of each slice, where slices touch."""
    parts = fine.shape[2] // (grid.size[2] + 2 * grid.margin)
    scan = fine[:, :, grid.margin * parts : -grid.margin * parts]
    return scan.reshape(*grid.size, parts).mean(axis=-1)
