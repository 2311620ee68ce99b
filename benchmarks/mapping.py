"""Voxels a second of the batched fit, beside what a user would call in its place.

    python -m benchmarks.mapping [--threads 2] [--voxels 1572864] [--output FILE.md]

Five contrasts of Simko et al. 2021, tissues of the pelvis, 1 % noise, float64 results. SciPy is
called a voxel at a time, with the truth as its start, which flatters it, and its own tolerances.
`bart mobafit`, where it is installed, has no repetition time in its model: it fits PD and T2 alone
to the three contrasts of the longest one. All of it in one run; the others work on a sample.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import curve_fit, least_squares

from benchmarks.machine import describe, peak_arithmetic, stream_bandwidth
from pipeline_lib.quantify.fit import fit
from pipeline_lib.quantify.model import SignalModel
from pipeline_lib.report.papers.published import SIMKO_TABLE_1
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

SEQUENCES = [Sequence("SE", te, tr) for te, tr in SIMKO_TABLE_1]
LONGEST = [0, 1, 4]  # those of the longest repetition time
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
VOLUME = 256 * 256 * 24
# An exponential is some twenty additions and multiplications (Remez polynomial of degree 11).
EXPONENTIAL = 20


def simulated(voxels: int, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """Parameters [voxel, 3] and noisy signals [voxel, contrast]."""
    rng = np.random.default_rng(0)
    parameters = TISSUES[np.arange(voxels) % len(TISSUES)]
    clean = np.stack([signal(sequence, *parameters.T) for sequence in SEQUENCES], axis=1)
    return parameters, clean + noise * clean.max() * rng.standard_normal(clean.shape)


def model(_: object, pd: float, t1: float, t2: float) -> np.ndarray:
    """Signals of one voxel, with the arithmetic that SciPy's user would write by hand."""
    return np.array([signal(sequence, pd, t1, t2) for sequence in SEQUENCES])


def scipy_rows(parameters: np.ndarray, signals: np.ndarray) -> dict[str, Callable[[], object]]:
    """SciPy's ways to fit one voxel after the other."""
    few = range(len(signals))

    def misfit(x: np.ndarray, v: int) -> np.ndarray:
        return model(None, *x) - signals[v]

    box = ([0, 0.001, 0.001], [np.inf, 10, 5])
    return {
        "scipy least_squares, lm": lambda: [
            least_squares(misfit, parameters[v], args=(v,), method="lm") for v in few
        ],
        "scipy least_squares, trf in the box": lambda: [
            least_squares(misfit, parameters[v], args=(v,), bounds=box) for v in few
        ],
        "scipy curve_fit": lambda: [
            curve_fit(model, np.arange(len(SEQUENCES)), signals[v], p0=parameters[v]) for v in few
        ],
    }


def bart(signals: np.ndarray, threads: int) -> Callable[[], object]:
    """PD and T2 by `bart mobafit -T` of the contrasts with the longest repetition time."""
    folder = Path(tempfile.mkdtemp())
    echoes = np.array([SEQUENCES[contrast].te for contrast in LONGEST])
    _write_cfl(folder / "te", echoes.reshape(1, 1, 1, 1, 1, -1))
    _write_cfl(folder / "images", signals[:, LONGEST].reshape(len(signals), 1, 1, 1, 1, -1))
    command = ["bart", "mobafit", "-T", *(str(folder / name) for name in ("te", "images", "maps"))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return lambda: subprocess.run(command, check=True, env=environment, capture_output=True)


def _write_cfl(path: Path, values: np.ndarray) -> None:
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{' '.join(map(str, values.shape))}\n")
    values.astype(np.complex64).flatten(order="F").tofile(path.with_suffix(".cfl"))


def speed(run: Callable[[], object], voxels: int, repeats: int) -> float:
    """Voxels a second in the best of some repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return voxels / min(seconds)


def above_scipy(parameters: np.ndarray, signals: np.ndarray) -> float:
    """How far the cost of the worst voxel lies above SciPy's minimum, relative."""
    costs = fit(signals, SEQUENCES).cost
    lower, upper = np.log([1e-9, 0.001, 0.001]), np.log([1e9, 10, 5])
    worst = -np.inf
    for cost, truth, measured in zip(costs, parameters, signals, strict=True):
        found = least_squares(
            lambda x, s=measured: model(None, *np.exp(x)) - s,
            np.log(truth), bounds=(lower, upper), xtol=1e-12, ftol=1e-12, gtol=1e-12,
        )  # fmt: skip
        worst = max(worst, cost / (2 * found.cost) - 1)
    return float(worst)


def operations(iterations: float, contrasts: int = len(SEQUENCES)) -> float:
    """Additions and multiplications of the fit of a voxel, counted from its formulas."""
    terms = SignalModel(SEQUENCES)
    exponentials = len(terms.recovery_times) + len(terms.echo_times) + 2
    products = 2 * 2 * contrasts * len(terms.recovery_times)  # signals and slopes from the terms
    sums = 2 * 11 * contrasts + 6 * contrasts + 40  # eleven inner products, the step
    # A start in each precision, and the bounds at the end, besides the steps.
    return (iterations + 3) * (EXPONENTIAL * exponentials + products + sums)


def main() -> None:
    """Measure all in one run and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voxels", type=int, default=VOLUME)
    parser.add_argument("--scipy-voxels", type=int, default=1000)
    parser.add_argument("--bart-voxels", type=int, default=5000)
    parser.add_argument("--compared-voxels", type=int, default=20_000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, help="Markdown file; printed besides")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    parameters, signals = simulated(arguments.voxels)
    few = arguments.scipy_voxels

    fit(signals[:1000], SEQUENCES)
    found = fit(signals, SEQUENCES)
    ours = speed(lambda: fit(signals, SEQUENCES), len(signals), repeats=3)
    noisy = np.abs(simulated(arguments.voxels, 5 * NOISE)[1])
    rows = [
        ("recontrast fit", ours),
        (
            f"recontrast fit, noise of {5 * NOISE:.0%} (more starts)",
            speed(lambda: fit(noisy, SEQUENCES), len(noisy), repeats=1),
        ),
    ]
    if torch.cuda.is_available():
        there = torch.as_tensor(signals, device="cuda")
        fit(there, SEQUENCES, device="cuda")
        rows.append(
            (
                f"recontrast fit on {torch.cuda.get_device_name()}",
                speed(lambda: fit(there, SEQUENCES, device="cuda"), len(signals), repeats=3),
            )
        )
    rows += [
        (name, speed(run, few, repeats=2))
        for name, run in scipy_rows(parameters[:few], signals[:few]).items()
    ]
    if shutil.which("bart"):
        some = signals[: arguments.bart_voxels]
        name = "bart mobafit -T (PD and T2 of three contrasts)"
        rows.append((name, speed(bart(some, arguments.threads), len(some), repeats=2)))

    flops = operations(float(found.iterations.mean())) * ours
    peak, stream = peak_arithmetic(), stream_bandwidth()
    compared = slice(arguments.compared_voxels)
    lines = [
        "# Maps of PD, T1 and T2",
        "",
        f"`python -m benchmarks.mapping --threads {arguments.threads}`: {len(signals):,} voxels of "
        "five spin echoes (Simko et al. 2021), 1 % noise; SciPy and BART on a sample.",
        "",
        f"Machine: {describe()}",
        "",
        "| | voxels/s | 256 x 256 x 24 voxels | times slower |",
        "|---|---|---|---|",
    ]
    for name, rate in rows:
        lines.append(f"| {name} | {rate:,.0f} | {VOLUME / rate:,.1f} s | {ours / rate:,.1f} |")
    lines += [
        "",
        f"Steps a voxel: {found.iterations.mean():.1f} (most {found.iterations.max()}). Some "
        f"{operations(float(found.iterations.mean())):,.0f} additions and multiplications a voxel "
        f"(an exponential counted as {EXPONENTIAL}) make {flops / 1e9:.1f} GFLOP/s, "
        f"{100 * flops / peak:.0f} % of what a product of float64 matrices reaches here "
        f"({peak / 1e9:.0f} GFLOP/s). Reading the signals and writing the maps moves "
        f"{ours * 8 * (len(SEQUENCES) + 9) / 1e9:.2f} GB/s of {stream / 1e9:.1f} GB/s: the fit is "
        "bound by arithmetic in the caches, not by memory.",
        "",
        f"Cost of the worst of {len(signals[compared]):,} voxels above SciPy's minimum (trf in the "
        "box, tolerances 1e-12, from the truth): "
        f"{above_scipy(parameters[compared], signals[compared]):.1e} of it.",
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
