"""What a network is shown of a slice: which channels, which part, mirrored or not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline_lib.errors import InputError
from pipeline_lib.slices.store import PatientSlices

Augmentation = Literal["none", "mirror", "dihedral"]
Window = tuple[slice, slice]
WHOLE: Window = (slice(None), slice(None))


@dataclass(frozen=True)
class Channels:
    """The channels of a source image: the slice itself, then what is shown besides.

    Attributes
    ----------
    neighbours
        Slices on each side, of the same contrast and session; beyond the first and the last
        slice, that one again.
    tissues
        Names of tissues whose masks are shown, coded -1 and +1 (Alkan et al. 2017, section 3);
        the mask of them all comes first.
    """

    neighbours: int = 0
    tissues: tuple[str, ...] = ()

    def __len__(self) -> int:
        masks = len(self.tissues) + 1 if self.tissues else 0
        return 1 + 2 * self.neighbours + masks

    def read(
        self, store: PatientSlices, row: int, contrast: int, window: Window = WHOLE
    ) -> np.ndarray:
        """Read the channels of one slice.

        Parameters
        ----------
        store
            The patient.
        row, contrast
            Which slice of the store, in which contrast.
        window
            Rows and columns to read.

        Returns
        -------
            float32 [channel, row, column]: the slice, the one before, the one after, the next
            two ..., the masks.

        Raises
        ------
        InputError
            If the patient has no tissue of one of the names.
        """
        rows = [row]
        for distance in range(1, self.neighbours + 1):
            rows += [_neighbour(store, row, -distance), _neighbour(store, row, distance)]
        images = [store.images[each, contrast][window] for each in rows]
        return np.stack([*images, *self._masks(store, row, window)]).astype(np.float32, copy=False)

    def read_all(self, store: PatientSlices, rows: Iterable[int], contrast: int) -> np.ndarray:
        """Read several whole slices: float32 [slice, channel, row, column]."""
        return np.stack([self.read(store, row, contrast) for row in rows])

    def _masks(self, store: PatientSlices, row: int, window: Window) -> list[np.ndarray]:
        if not self.tissues:
            return []
        labels = {name: label for label, name in store.tissue_names.items()}
        missing = [name for name in self.tissues if name not in labels]
        if missing:
            raise InputError(
                f"{store.patient} has no tissue {missing[0]}, which a model is shown a mask of; "
                "segment all patients in the same way."
            )
        here = store.tissues[row][window]
        masks = [here == labels[name] for name in self.tissues]
        return [np.where(mask, 1.0, -1.0) for mask in (np.logical_or.reduce(masks), *masks)]


def _neighbour(store: PatientSlices, row: int, step: int) -> int:
    """Row of the slice `step` further in the same session, or the last one before the end."""
    other = min(max(row + step, 0), len(store) - 1)
    while store.sessions[other] != store.sessions[row]:
        other += 1 if step < 0 else -1
    return other


@dataclass(frozen=True)
class Patches:
    """Square parts of a slice, drawn lazily: none is stored.

    Attributes
    ----------
    size
        Rows and columns.
    stride
        Distance of the patches of a regular grid from the first row and column; `None`: one
        patch a slice, anywhere.
    margin
        Of patches anywhere: rows and columns at the border that none holds, where the slice is
        large enough.
    """

    size: int
    stride: int | None = None
    margin: int = 0

    def grid(self, rows: int, columns: int) -> list[tuple[int, int]]:
        """First row and column of each patch of the grid; of patches anywhere, one place holder.

        Raises
        ------
        InputError
            If the slices are smaller than a patch.
        """
        if self.size > min(rows, columns):
            raise InputError(
                f"patches of {self.size} x {self.size} don't fit into slices of {rows} x "
                f"{columns} pixels; set patch_size of the model to at most {min(rows, columns)}."
            )
        if self.stride is None:
            return [(0, 0)]
        return [
            (row, column)
            for row in range(0, rows - self.size + 1, self.stride)
            for column in range(0, columns - self.size + 1, self.stride)
        ]

    def window(self, first: tuple[int, int], shape: tuple[int, int], draws: "Draws") -> Window:
        """Rows and columns of one patch; of patches anywhere they are drawn."""
        if self.stride is None:
            first = (self._drawn(shape[0], draws), self._drawn(shape[1], draws))
        return (slice(first[0], first[0] + self.size), slice(first[1], first[1] + self.size))

    def _drawn(self, length: int, draws: "Draws") -> int:
        margin = min(self.margin, (length - self.size) // 2)
        return int(draws.integers(margin, length - self.size - margin + 1))


Draws = np.random.Generator


@dataclass(frozen=True)
class Selection:
    """Which images a paired sample holds, and how much of them.

    Only held images are targets, and sources, too, unless there is one source alone: it is then
    what every prediction starts from, of training and of test images.

    Attributes
    ----------
    sources, targets
        Indices of the contrasts; each sample draws one source and holds all targets,
    drawn_targets
        or so many of them, drawn too; 0: all.
    channels
        Of the source.
    patches
        Parts of slices; `None`: whole slices.
    augmentation
        `mirror`: half of the samples are mirrored left to right; `dihedral`: mirrored along
        either axis and transposed, each for half of them.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    drawn_targets: int = 0
    channels: Channels = Channels()
    patches: Patches | None = None
    augmentation: Augmentation = "mirror"

    @property
    def is_one_pair(self) -> bool:
        """Whether a model learns one pair of contrasts, and so can't be asked for another."""
        return len(self.sources) == len(self.targets) == 1

    def rows(self, held: np.ndarray) -> np.ndarray:
        """Give the slices that hold a source and another contrast as its target.

        Parameters
        ----------
        held
            bool [slice, contrast].
        """
        of, to = np.zeros_like(held), np.zeros_like(held)
        of[:, self.sources] = self._sources_of(held)[:, self.sources]
        to[:, self.targets] = held[:, self.targets]
        return np.flatnonzero(of.any(axis=1) & to.any(axis=1) & ((of | to).sum(axis=1) > 1))

    def drawn(self, held: np.ndarray, draws: Draws) -> tuple[int, tuple[int, ...]]:
        """Draw the source and the targets of one slice.

        All samples have equally many targets: they are drawn without replacement as far as they
        are held, and then again from all of them.

        Parameters
        ----------
        held
            bool [contrast], at least a source and a target.
        draws
            Random numbers of the sample.
        """
        may_be_source = self._sources_of(held)
        sources = [of for of in self.sources if may_be_source[of]]
        source = sources[int(draws.integers(len(sources)))]
        targets = [to for to in self.targets if held[to]]
        count = min(self.drawn_targets or len(self.targets), len(self.targets))
        if count == len(targets):
            return source, tuple(targets)
        drawn: list[int] = []
        rest: list[int] = []
        while len(drawn) < count:
            rest = rest or list(targets)
            drawn.append(rest.pop(int(draws.integers(len(rest)))))
        return source, tuple(drawn)

    def _sources_of(self, held: np.ndarray) -> np.ndarray:
        """Images that may be sources where these are held: a source that is alone always may."""
        return held if len(self.sources) > 1 else np.ones_like(held)


def augmented(image: np.ndarray, augmentation: Augmentation, draws: Draws) -> np.ndarray:
    """Mirror (and transpose) [..., row, column] as drawn; a view."""
    if augmentation == "none":
        return image
    if draws.random() < 0.5:
        image = image[..., ::-1]
    if augmentation == "dihedral":
        if draws.random() < 0.5:
            image = image[..., ::-1, :]
        if draws.random() < 0.5:
            image = image.swapaxes(-1, -2)
    return image
