"""Random reads of single slices by worker processes: which kind of file serves training best.

    python benchmarks/slice_reads.py --output benchmarks/results/2026-11-21-slice-reads.md

writes the same images as .npy, zarr (a chunk a slice and contrast, with and without compression)
and .nii.gz, lets two processes read slices in random order for some seconds each, and writes the
table. Zarr is no dependency of the project: without it its rows say so.
"""

import argparse
import multiprocessing
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nibabel
import numpy as np

try:
    import zarr
except ImportError:
    zarr = None

PATIENTS, SLICES, CONTRASTS, SIZE = 8, 24, 5, 256
WORKERS = 2
Read = Callable[[int, int, int], np.ndarray]


def some_images(patient: int) -> np.ndarray:
    """Images [slice, contrast, row, column] that compress about as scans do, zero outside."""
    draws = np.random.default_rng(patient)
    rows, columns = np.ogrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
    body = rows**2 / 0.7 + columns**2 / 0.5 < 1
    noise = draws.normal(0, 0.02, (SLICES, CONTRASTS, SIZE, SIZE))
    return ((0.5 + 0.3 * np.sin(9 * rows * columns) + noise) * body).astype(np.float32)


def write_npy(folder: Path, patient: int, images: np.ndarray) -> None:
    """One uncompressed array a patient."""
    np.save(folder / f"{patient}.npy", images)


def read_npy(folder: Path) -> Read:
    """Memory-map every patient's array."""
    arrays = [np.load(folder / f"{patient}.npy", mmap_mode="r") for patient in range(PATIENTS)]
    return lambda patient, row, contrast: np.array(arrays[patient][row, contrast])


def write_zarr(folder: Path, patient: int, images: np.ndarray, compressors: str | None) -> None:
    """One zarr array a patient, a chunk a slice and contrast."""
    array = zarr.create_array(
        store=str(folder / f"{patient}.zarr"),
        shape=images.shape,
        chunks=(1, 1, SIZE, SIZE),
        dtype=images.dtype,
        compressors=compressors,
    )
    array[:] = images


def read_zarr(folder: Path) -> Read:
    """Open every patient's array."""
    arrays = [zarr.open_array(str(folder / f"{p}.zarr"), mode="r") for p in range(PATIENTS)]
    return lambda patient, row, contrast: np.asarray(arrays[patient][row, contrast])


def write_nifti(folder: Path, patient: int, images: np.ndarray) -> None:
    """One .nii.gz a patient and contrast, slices last as scanners write them."""
    for contrast in range(CONTRASTS):
        volume = np.moveaxis(images[:, contrast], 0, -1)
        nibabel.save(
            nibabel.Nifti1Image(volume, np.eye(4)), folder / f"{patient}-{contrast}.nii.gz"
        )


def read_nifti(folder: Path) -> Read:
    """Open every volume once; each slice is sought in the compressed stream."""
    volumes = {
        (p, c): nibabel.load(folder / f"{p}-{c}.nii.gz")
        for p in range(PATIENTS)
        for c in range(CONTRASTS)
    }
    return lambda patient, row, contrast: np.asarray(
        volumes[patient, contrast].dataobj[..., row], dtype=np.float32
    )


KINDS = {
    ".npy, memory-mapped": (write_npy, read_npy),
    "zarr, a chunk a slice, uncompressed": (partial(write_zarr, compressors=None), read_zarr),
    "zarr, a chunk a slice, zstd": (partial(write_zarr, compressors="auto"), read_zarr),
    ".nii.gz through nibabel": (write_nifti, read_nifti),
}


def work(folder: Path, read: Callable[[Path], Read], worker: int, seconds: float) -> list[float]:
    """Read slices in random order for some seconds; give the time of each read in seconds."""
    get = read(folder)
    draws = np.random.default_rng(worker)
    taken = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        patient, row, contrast = (int(draws.integers(n)) for n in (PATIENTS, SLICES, CONTRASTS))
        start = time.perf_counter()
        image = get(patient, row, contrast)
        taken.append(time.perf_counter() - start)
        assert image.shape == (SIZE, SIZE)
    return taken


def measure(name: str, folder: Path, seconds: float) -> str:
    """Write, read, and give a row of the table."""
    write, read = KINDS[name]
    written = 0.0
    for patient in range(PATIENTS):
        images = some_images(patient)
        start = time.perf_counter()
        write(folder, patient, images)
        written += time.perf_counter() - start
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        jobs = [(folder, read, worker, seconds) for worker in range(WORKERS)]
        taken = np.array([t for times in pool.starmap(work, jobs) for t in times]) * 1000
    rate = len(taken) / seconds
    middle, late = np.percentile(taken, [50, 99])
    return (
        f"| {name} | {rate:,.0f} | {middle:.3f} | {late:.3f} | {size / 1e6:.0f} | {written:.2f} |"
    )


def main() -> None:
    """Measure every kind, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=5.0, help="of reading, for each kind")
    parser.add_argument("--machine", default=f"{os.cpu_count()} cores, {platform.machine()}")
    arguments = parser.parse_args()
    rows = []
    for name in KINDS:
        if name.startswith("zarr") and zarr is None:
            rows.append(f"| {name} | not measured: zarr is not installed | | | | |")
            continue
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(name, Path(folder), arguments.seconds))
        sys.stdout.write(rows[-1] + "\n")
    versions = [f"Python {platform.python_version()}", f"numpy {np.__version__}"]
    versions += [f"nibabel {nibabel.__version__}"] + ([f"zarr {zarr.__version__}"] if zarr else [])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(
        "# Random reads of single slices\n\n"
        f"`python benchmarks/slice_reads.py --seconds {arguments.seconds:g}`: {PATIENTS} patients "
        f"of {SLICES} slices of {SIZE} x {SIZE} float32 in {CONTRASTS} contrasts; {WORKERS} "
        "processes read one slice of one contrast after the other, drawn at random, from files "
        "that lie in the page cache, and copy it to memory.\n\n"
        f"Machine: {arguments.machine}. {', '.join(versions)}.\n\n"
        "| kind of file | slices a second | median ms | 99th percentile ms | MB | s to write |\n"
        "|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    main()
