"""Seconds to make a virtual patient and its five scans of 256 x 256 x 24 voxels, on one core.

python -m benchmarks.simulate_patient
"""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import time
from dataclasses import replace
from itertools import pairwise

from pipeline_lib.phantom.cohort import VirtualSettings, streams, virtual_patient
from pipeline_lib.phantom.scanner import Motion, measure
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.signal.sequences import Sequence

# Simko et al. 2021, Table 1.
SEQUENCES = {
    "T2w75": Sequence("SE", 0.075, 4.5),
    "T2w120": Sequence("SE", 0.120, 4.5),
    "T1w400": Sequence("SE", 0.008, 0.4),
    "T1w750": Sequence("SE", 0.008, 0.75),
    "PDw": Sequence("SE", 0.008, 4.5),
}
PELVIS = VirtualSettings(
    "pelvis", 3.0, (256, 256, 24), (1.5, 1.5, 5.0), "exact", 0.01, 0.3, Motion(5.0, 5.0), None
)
BRAIN = replace(PELVIS, anatomy="brain", spacing=(0.9, 0.9, 6.0))


def main() -> None:
    """Print a table."""
    print("| anatomy | anatomy s | 5 scans s | true maps s | together s |")
    print("|---|---|---|---|---|")
    for settings in (PELVIS, BRAIN):
        seeds = streams(2021, "benchmark", "sub-001")
        times = [time.perf_counter()]
        patient = virtual_patient(settings, seeds)
        times.append(time.perf_counter())
        measure(patient, SEQUENCES, "PDw", settings.scanner, seeds["scanner"])
        times.append(time.perf_counter())
        truth_of(patient)
        times.append(time.perf_counter())
        steps = [f"{after - before:.1f}" for before, after in pairwise(times)]
        print(f"| {settings.anatomy} | {' | '.join(steps)} | {times[-1] - times[0]:.1f} |")


if __name__ == "__main__":
    main()
