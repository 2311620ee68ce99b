"""The tables of docs/maps.md: bounds, noise floor, inversion recovery, gains, tissues.

    python -m benchmarks.map_quality [FOLDER]

FOLDER is what the two commands of docs/maps.md left; without it the table of tissues is left out.
A few seconds on one core.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline_lib.files import read_json
from pipeline_lib.quantify.bounds import cramer_rao
from pipeline_lib.quantify.fit import fit
from pipeline_lib.quantify.flags import Flag
from pipeline_lib.report.papers.published import SIMKO_TABLE_1, SIMKO_TABLE_3
from pipeline_lib.signal.equations import signal
from pipeline_lib.signal.sequences import Sequence

SIMKO = [Sequence("SE", te, tr) for te, tr in SIMKO_TABLE_1]
# PD, T1 (s), T2 (s) at 3 T; of urine no T2 is agreed on.
TISSUES = {
    "fat": (0.90, 0.382, 0.068),
    "muscle": (0.80, 1.412, 0.050),
    "prostate": (0.85, 1.597, 0.074),
    "marrow": (0.75, 0.586, 0.049),
    "urine, T2 of 0.5 s": (1.00, 3.0, 0.5),
    "urine, T2 of 1 s": (1.00, 3.0, 1.0),
    "urine, T2 of 2 s": (1.00, 3.0, 2.0),
}
NOISE = 0.01  # of the brightest signal
VOXELS = 10_000
SNRS = (3, 5, 7, 10, 20, 100)


def _signals(contrasts, values):
    return np.array([signal(contrast, *values) for contrast in contrasts])


def _off(found, true):
    # Adding 0 makes a plus of minus zero.
    return f"{round(100 * (np.median(found) / true - 1), 1) + 0.0:+.1f}"


def bound_rows():
    """Relative bounds of PD, T1 and T2; T2 of a fit to noisy signals; its share at a limit."""
    sigma = NOISE * max(_signals(SIMKO, values).max() for values in TISSUES.values())
    random = np.random.default_rng(2021)
    for name, values in TISSUES.items():
        bound = cramer_rao(SIMKO, *values, sigma)
        clean = _signals(SIMKO, values)
        scans = clean + sigma * random.standard_normal((VOXELS, len(SIMKO)))
        maps = fit(scans, SIMKO, sigma=sigma)
        yield (
            f"{name} ({', '.join(f'{value:g}' for value in values)})",
            *(f"{100 * sd / value:.1f}"
              for sd, value in zip((bound.pd, bound.t1, bound.t2), values, strict=True)),
            f"{maps.t2.mean():.3f} ± {maps.t2.std():.3f}", f"{100 * maps.at_bound.mean():.1f}",
        )  # fmt: skip


def rician_rows(snrs=SNRS):
    """Error of the median PD, T1 and T2 of muscle, and share converged; without and with Rice."""
    values = TISSUES["muscle"]
    clean = _signals(SIMKO, values)
    for snr in snrs:
        sigma = clean.max() / snr
        noise = sigma * np.random.default_rng([2021, snr]).standard_normal((2, VOXELS, len(SIMKO)))
        scans = np.hypot(clean + noise[0], noise[1])
        cells = [str(snr)]
        for rician in (False, True):
            maps = fit(scans, SIMKO, sigma=sigma, rician=rician)
            found = zip((maps.pd, maps.t1, maps.t2), values, strict=True)
            cells += [_off(map_, true) for map_, true in found]
            cells.append(f"{100 * (maps.flag == Flag.CONVERGED).mean():.0f}")
        yield tuple(cells)


def inversion_rows():
    """Other PD, T1 and T2 that give the same three scans, and what a fourth one makes of them."""
    first, second, third, fourth = (
        Sequence("IR-SE", 0.015, 5.0, 0.4),
        Sequence("IR-SE", 0.015, 5.0, 1.2),
        Sequence("SE", 0.090, 5.0),
        Sequence("SE", 0.015, 5.0),
    )
    grid = np.geomspace(0.05, 10, 200_001)
    recovered = [signal(each, 1.0, grid, np.inf) for each in (first, second, third)]
    for name in ("fat", "marrow", "muscle", "prostate"):
        values = TISSUES[name]
        scans = _signals((first, second, third), values)
        # PD and T2 drop out of the ratio of two scans of one echo time.
        distance = recovered[0] / recovered[1] - scans[0] / scans[1]
        roots = np.flatnonzero(distance[:-1] * distance[1:] < 0)
        for i in roots[abs(grid[roots] / values[1] - 1) > 1e-3]:
            decay = scans[2] / recovered[2][i] / (scans[0] / recovered[0][i])
            t2 = -(third.te - first.te) / np.log(decay)
            if 0 < t2 < 5:
                other = (scans[0] / recovered[0][i] * np.exp(first.te / t2), grid[i], t2)
                off = abs(signal(fourth, *other) - signal(fourth, *values))
                yield (
                    name, _three(values), _three(other), f"{off / (NOISE * scans.max()):.0f}"
                )  # fmt: skip


def _three(values):
    pd, t1, t2 = values
    return f"{pd:.2f}, {t1:.3f}, {t2:.3f}"


def gain_rows():
    """T1 and T2 from contrasts that were each divided by their brightest tissue; with gains."""
    names = ("fat", "muscle", "prostate", "urine, T2 of 1 s")
    scans = np.array([_signals(SIMKO, TISSUES[name]) for name in names])
    gains = 1 / scans.max(axis=0)
    without, with_gains = fit(scans * gains, SIMKO), fit(scans * gains, SIMKO, gains=gains)
    for i, name in enumerate(names):
        times = (TISSUES[name][1:], *((m.t1[i], m.t2[i]) for m in (without, with_gains)))
        yield (name, *(f"{t1:.3f}, {t2:.3f}" for t1, t2 in times))


def tissue_rows(folder):
    """Fitted values of a virtual patient, their truth, and Table 3 of Simko et al. 2021."""
    derivatives = Path(folder) / "derivatives"
    table = pd.read_csv(derivatives / "recontrast/sub-001/tissues.tsv", sep="\t")
    truth = read_json(derivatives / "truth/sub-001/sub-001_truth.json")
    for tissue, published in SIMKO_TABLE_3.items():
        true = truth["tissues"][tissue]
        scale = {"PD": truth["gain"], "T1": 1, "T2": 1}
        for parameter, (squares, _) in published.items():
            here = table["tissue"].eq(tissue) & table["parameter"].eq(parameter)
            row = table[here].iloc[0]
            expected = true[parameter.lower()] * scale[parameter]
            digits = 0 if parameter == "PD" else 3
            yield (
                tissue, parameter, f"{row['n']:,}", f"{row['median']:.{digits}f}",
                f"{row['mean']:.{digits}f} ± {row['sd']:.{digits}f}", f"{expected:.{digits}f}",
                _off(row["median"], expected), f"{100 * row['bound_relative']:.1f}",
                f"{squares.mean:.2f} ± {squares.sd:.2f}",
            )  # fmt: skip


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="with sub-001, simulated and fitted")
    arguments = parser.parse_args()
    tables = [bound_rows(), rician_rows(), inversion_rows(), gain_rows()]
    if arguments.folder:
        tables.append(tissue_rows(arguments.folder))
    for table in tables:
        print("\n".join(f"| {' | '.join(row)} |" for row in table), end="\n\n")


if __name__ == "__main__":
    main()
