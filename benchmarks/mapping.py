"""Voxels a second of the batched fit, beside SciPy called for one voxel at a time.

    python -m benchmarks.mapping [--voxels 400000] [--scipy-voxels 400]

Five contrasts of Simko et al. 2021, tissues of the pelvis, 1 % noise. SciPy gets the truth as its
start, which flatters it, and its own default tolerances. One process; set OMP_NUM_THREADS for
more threads in the matrix products.
"""

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import curve_fit, least_squares

from pipeline_lib.quantify.fit import fit
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

SEQUENCES = [
    Sequence("SE", 0.075, 4.5),
    Sequence("SE", 0.12, 4.5),
    Sequence("SE", 0.008, 0.4),
    Sequence("SE", 0.008, 0.75),
    Sequence("SE", 0.008, 4.5),
]
# PD, T1 (s), T2 (s): fat, muscle, marrow, prostate, urine.
TISSUES = np.array(
    [
        (0.90, 0.382, 0.068),
        (0.80, 1.412, 0.050),
        (0.75, 0.586, 0.049),
        (0.85, 1.597, 0.074),
        (1.00, 3.0, 1.0),
    ]
)
NOISE = 0.01


def simulated(voxels: int) -> tuple[np.ndarray, np.ndarray]:
    """Parameters [voxel, 3] and noisy signals [voxel, contrast]."""
    rng = np.random.default_rng(0)
    parameters = TISSUES[np.arange(voxels) % len(TISSUES)]
    clean = np.stack([signal(sequence, *parameters.T) for sequence in SEQUENCES], axis=1)
    return parameters, clean + NOISE * clean.max() * rng.standard_normal(clean.shape)


def model(_: object, pd: float, t1: float, t2: float) -> np.ndarray:
    """Signals of one voxel, with the arithmetic that SciPy's user would write by hand."""
    return np.array([signal(sequence, pd, t1, t2) for sequence in SEQUENCES])


def speed(run: Callable[[], object], voxels: int, repeats: int) -> float:
    """Voxels a second in the best of some repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return voxels / min(seconds)


def main() -> None:
    """Measure all in one run and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, default=400_000)
    parser.add_argument("--scipy-voxels", type=int, default=400)
    arguments = parser.parse_args()
    parameters, signals = simulated(arguments.voxels)
    few = range(min(arguments.scipy_voxels, arguments.voxels))

    ours = speed(lambda: fit(signals, SEQUENCES), arguments.voxels, repeats=3)
    others = {
        "scipy least_squares lm": lambda: [
            least_squares(lambda x, v=v: model(None, *x) - signals[v], parameters[v], method="lm")
            for v in few
        ],
        "scipy least_squares trf, bounds": lambda: [
            least_squares(
                lambda x, v=v: model(None, *x) - signals[v],
                parameters[v],
                bounds=([0, 0.001, 0.001], [np.inf, 10, 5]),
            )
            for v in few
        ],
        "scipy curve_fit": lambda: [
            curve_fit(model, np.arange(len(SEQUENCES)), signals[v], p0=parameters[v]) for v in few
        ],
    }
    volume = 256 * 256 * 24
    lines = [f"{'recontrast fit':<34}{ours:>12,.0f} voxels/s"]
    for name, run in others.items():
        theirs = speed(run, len(few), repeats=2)
        lines.append(f"{name:<34}{theirs:>12,.0f} voxels/s{ours / theirs:>10,.0f} times slower")
    lines.append(f"256 x 256 x 24 voxels: {volume / ours:.1f} s")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
