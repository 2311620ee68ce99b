"""What shares the voxels of an image: tissues, in the parts of a slice that it averages."""

from collections.abc import Iterable
from collections.abc import Sequence as Series
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline_lib.phantom.grid import Grid
from pipeline_lib.phantom.patient import TissueVoxels

Array = np.ndarray
# A tissue, which of its voxels, which voxel of the image each is in, and the weight there.
Portions = tuple[TissueVoxels, Array | slice, Array, float]


@dataclass(frozen=True)
class Mixture:
    """The portions of tissue that each voxel of an image adds up.

    Voxels are in the order of how many portions they hold, most first, and portions lie rank by
    rank: first the first portion of every voxel, then the second of those that have one. The voxels
    with a portion of some rank are then the first so many, and sums need no places.

    Attributes
    ----------
    size
        Of the image.
    places
        Place of each voxel that holds any tissue in the flattened image, int64 [voxel].
    counts
        How many voxels have a portion of each rank, falling.
    pd
        Share of the voxel x PD x what was asked as weight of its voxel, [portion], float32.
    t1, t2
        Seconds, [portion], float32.
    fine
        Place of each portion in the flattened fine grid, [portion], int64; None if not asked for.
    """

    size: tuple[int, int, int]
    places: Tensor
    counts: tuple[int, ...]
    pd: Tensor
    t1: Tensor
    t2: Tensor
    fine: Tensor | None = None

    @classmethod
    def of_scan(
        cls,
        grid: Grid,
        tissues: Iterable[TissueVoxels],
        thickness: float | None = None,
        weight: Array | None = None,
        keep_fine: bool = False,
    ) -> "Mixture":
        """Mix tissues in the voxels of the scan, averaged over each slice.

        Parameters
        ----------
        grid
            Of the anatomy.
        tissues
            That lie in it.
        thickness
            See `Grid.parts_of_a_slice`.
        weight
            Of each voxel's signal, [x, y, z]; 1 if left out.
        keep_fine
            Whether to keep attribute `fine`.
        """
        portions = [
            (tissue, *rest)
            for tissue in tissues
            for rest in grid.places_on_scan(tissue.where, thickness)
        ]
        return cls._of(grid.size, portions, weight, keep_fine)

    @classmethod
    def of_anatomy(
        cls, grid: Grid, tissues: Iterable[TissueVoxels], keep_fine: bool = False
    ) -> "Mixture":
        """Mix tissues in the voxels of the fine grid, as an image that is still to be moved."""
        portions = [(tissue, slice(None), tissue.where, 1.0) for tissue in tissues]
        return cls._of(grid.fine_size, portions, None, keep_fine)

    @classmethod
    def _of(
        cls,
        size: tuple[int, int, int],
        portions: Series[Portions],
        weight: Array | None,
        keep_fine: bool,
    ) -> "Mixture":
        held = np.zeros(int(np.prod(size)), dtype=np.uint16)
        for _, _, places, _ in portions:
            held[places] += 1
        some = np.flatnonzero(held)
        # Of as many portions, voxels stay in the order of the image; a radix sort.
        order = some[np.argsort(np.iinfo(np.uint16).max - held[some], kind="stable")]
        counts = (len(some) - np.cumsum(np.bincount(held[some], minlength=1))[:-1]).tolist()
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        position = np.zeros(len(held), dtype=np.int32)
        position[order] = np.arange(len(order), dtype=np.int32)
        pd, t1, t2 = (np.empty(first[-1], dtype=np.float32) for _ in range(3))
        fine = np.empty(first[-1] if keep_fine else 0, dtype=np.int64)
        held[:] = 0
        for tissue, chosen, places, share in portions:
            where = first[held[places]] + position[places]
            held[places] += 1
            pd[where] = tissue.share[chosen] * tissue.pd[chosen] * np.float32(share)
            if weight is not None:
                pd[where] *= weight.ravel()[places]
            t1[where], t2[where] = tissue.t1[chosen], tissue.t2[chosen]
            if keep_fine:
                fine[where] = tissue.where[chosen]
        return cls(
            size,
            torch.from_numpy(order),
            tuple(counts),
            torch.from_numpy(pd),
            torch.from_numpy(t1),
            torch.from_numpy(t2),
            torch.from_numpy(fine) if keep_fine else None,
        )

    def image(self, values: Tensor) -> Tensor:
        """Put values of the voxels [voxel] where they belong, [x, y, z]; 0 without tissue."""
        image = torch.zeros(int(np.prod(self.size)), dtype=values.dtype, device=values.device)
        return image.index_copy_(0, self.places, values).view(self.size)

    def to(self, device: torch.device | str) -> "Mixture":
        """Give it with its tensors on a device."""
        return Mixture(
            self.size,
            self.places.to(device),
            self.counts,
            self.pd.to(device),
            self.t1.to(device),
            self.t2.to(device),
            None if self.fine is None else self.fine.to(device),
        )
