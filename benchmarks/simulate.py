"""Seconds and memory of virtual scans: many contrasts of one head, and whole patients.

    python -m benchmarks.simulate --output benchmarks/results/DATE-simulate.md

The head is Narang's data set: 24 slices of 256 x 256, 200 pairs of echo and repetition time drawn
as config/experiments/narang2022.yaml draws them, of the brain of nine tissues with texture and
partial volume, without motion. Its anatomy is drawn beforehand, and told apart. Images come one by
one; each is counted and added up, or written. Beside it what a user would pick instead: the signal
equation of the whole volume of maps in NumPy, contrast by contrast, in float64, without partial
volume. Each row is a process of its own, so that its peak memory is its own. The bandwidth of the
memory is measured in the same run (a triad like STREAM's). On a GPU there is a row for it.
"""

import argparse
import json
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml

from benchmarks.machine import describe, stream_bandwidth
from pipeline_lib.drawn import draw_contrasts
from pipeline_lib.phantom.cohort import VirtualSettings, streams, virtual_patient
from pipeline_lib.phantom.motion import Motion
from pipeline_lib.phantom.patient import VirtualPatient
from pipeline_lib.phantom.scanner import measure
from pipeline_lib.phantom.truth import truth_of
from pipeline_lib.report.papers.published import SIMKO_TABLE_1
from pipeline_lib.signal.sequences import Sequence

ROOT = Path(__file__).parents[1]
HEAD = VirtualSettings(
    "brain", 3.0, (256, 256, 24), (0.9, 0.9, 5.5), "exact", 0.0, 0.0, Motion(0, 0), None
)
PATIENTS = {
    "pelvis": replace(
        HEAD, anatomy="pelvis", spacing=(1.5, 1.5, 5.0), noise=0.01, bias_field=0.3,
        motion=Motion(5.0, 5.0),
    ),
    "brain": replace(HEAD, noise=0.01, bias_field=0.3, motion=Motion(5.0, 5.0)),
}  # fmt: skip
NAMES = ("T2w75", "T2w120", "T1w400", "T1w750", "PDw")
FIVE = {name: Sequence("SE", te, tr) for name, (te, tr) in zip(NAMES, SIMKO_TABLE_1, strict=True)}
Images = Iterator[tuple[str, np.ndarray]]
PAIRS, MEMORY_OF = 200, (20, 200, 1000)
GOAL, MOST = 5, 1.0  # seconds; GiB


def pairs(count: int) -> dict[str, Sequence]:
    """Draw as many contrasts as asked, the default one among them."""
    config = yaml.safe_load((ROOT / "config/experiments/narang2022.yaml").read_text())
    dataset = config["datasets"]["narang2022"]
    dataset["drawn_contrasts"] |= {"count": count - 1, "sequence": "SE"}
    draw_contrasts(dataset, "narang2022", 2021)
    return {name: Sequence.from_mapping(values) for name, values in dataset["contrasts"].items()}


def virtual_images(
    patient: VirtualPatient, sequences: dict[str, Sequence], noise: float, device: str
) -> Images:
    """Measure the head."""
    scanner = replace(HEAD, noise=noise).scanner
    yield from measure(patient, sequences, "default", scanner, [1]).scans(device)


def plain_images(patient: VirtualPatient, sequences: dict[str, Sequence]) -> Images:
    """Evaluate the spin-echo equation on maps of the scan's voxels, as a short script would."""
    truth = truth_of(patient)
    pd = truth.pd.astype(float)
    t1, t2 = (np.where(truth.t1 > 0, part, 1.0).astype(float) for part in (truth.t1, truth.t2))

    def image(s: Sequence) -> np.ndarray:
        recovered = 1 - 2 * np.exp(-(s.tr - s.te / 2) / t1) + np.exp(-s.tr / t1)
        return pd * recovered * np.exp(-s.te / t2)

    # The maps are made now, and images as they are asked for.
    return ((name, image(sequence)) for name, sequence in sequences.items())


def one_row(kind: str, count: int, patient: VirtualPatient) -> dict[str, float]:
    """Run a row of the table in this process."""
    if kind == "plain":
        images = plain_images(patient, pairs(count))
    else:
        noise, device = 0.01 * (kind == "noise"), "cuda" if kind == "gpu" else "cpu"
        images = virtual_images(patient, pairs(count), noise, device)
    made, size, total = 0, 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        start, processor = time.perf_counter(), time.process_time()
        for name, image in images:
            made, size = made + 1, size + image.nbytes
            if kind == "float32":
                np.save(Path(folder) / name, image)
            elif kind == "8-bit":
                np.save(Path(folder) / name, (image * (255 / image.max())).astype(np.uint8))
            else:
                total += float(image.sum())
        seconds = {
            "seconds": time.perf_counter() - start,
            "processor": time.process_time() - processor,
        }
    return {"images": made, "bytes": size, "sum": total, **seconds}


def whole_patient(anatomy: str) -> dict[str, float]:
    """Time a patient of five contrasts that moves, with noise, a coil's field and true maps."""
    settings, seeds = PATIENTS[anatomy], streams(2021, "benchmark", "sub-001")
    # Templates are read and kept for the patients that follow.
    virtual_patient(replace(settings, size=(32, 32, 4)), seeds)
    times = [time.perf_counter()]
    patient = virtual_patient(settings, seeds)
    times.append(time.perf_counter())
    session = measure(patient, FIVE, "PDw", settings.scanner, seeds["scanner"])
    for _ in session.scans():
        pass
    times.append(time.perf_counter())
    truth_of(patient)
    times.append(time.perf_counter())
    return dict(zip(("anatomy", "scans", "maps"), np.diff(times).tolist(), strict=True))


def draw(path: Path) -> dict[str, float]:
    """Draw the head and keep it in a file."""
    start = time.perf_counter()
    patient = virtual_patient(HEAD, streams(2021, "narang2022", "sub-001"))
    seconds = time.perf_counter() - start
    with path.open("wb") as file:
        pickle.dump(patient, file, protocol=5)
    return {"seconds": seconds}


def in_a_process(*arguments: str | Path, threads: int) -> dict[str, float]:
    """Run a part in a process of its own, and give what it measured and its peak memory in GiB."""
    command = [sys.executable, "-m", "benchmarks.simulate", "--threads", str(threads), "--part"]
    answer = subprocess.run(
        [*command, *map(str, arguments)], check=True, capture_output=True, text=True, cwd=ROOT
    )
    print(" ".join(map(str, arguments[:2])), answer.stdout.strip(), file=sys.stderr)
    return json.loads(answer.stdout)


def part(kind: str, *arguments: str) -> None:
    """Do one part in this process and print what it measured."""
    if kind == "draw":
        measured = draw(Path(arguments[0]))
    elif kind in PATIENTS:
        measured = whole_patient(kind)
    else:
        with Path(arguments[1]).open("rb") as file:
            patient = pickle.load(file)
        measured = one_row(kind, int(arguments[0]), patient)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({**measured, "peak": peak}))


ROWS = {
    "images": "images handed out one by one",
    "float32": "written as float32 .npy",
    "8-bit": "written as 8-bit .npy",
    "noise": "with Rician noise",
    "gpu": "summed on the GPU, handed out to the CPU",
    "plain": "plain NumPy on maps: float64, no partial volume",
}


def tables(threads: int) -> str:
    """Measure all and give the text of the result."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "patient.pickle"
        drawn = in_a_process("draw", path, threads=threads)
        kinds = [kind for kind in ROWS if kind != "gpu" or torch.cuda.is_available()]
        found = {kind: in_a_process(kind, PAIRS, path, threads=threads) for kind in kinds}
        peaks = {
            count: in_a_process("images", count, path, threads=threads)["peak"]
            for count in MEMORY_OF
        }
    whole = {anatomy: in_a_process(anatomy, threads=1) for anatomy in PATIENTS}
    torch.set_num_threads(threads)
    bandwidth = stream_bandwidth()
    lines = [
        "# Virtual scans",
        "",
        f"`python -m benchmarks.simulate`: {PAIRS} pairs of TE and TR, {HEAD.size[2]} slices of "
        f"{HEAD.size[0]} x {HEAD.size[1]}, {threads} threads; the head was drawn beforehand in "
        f"{drawn['seconds']:.1f} s ({drawn['peak']:.2f} GiB). Memory bandwidth in the same run: "
        f"{bandwidth / 1e9:.1f} GB/s.",
        "",
        f"Machine: {describe()}",
        "",
        "| | s | CPU s | GB/s of images | share of the bandwidth | peak GiB | times s |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, row in found.items():
        rate = row["bytes"] / row["seconds"]
        lines.append(
            f"| {ROWS[kind]} | {row['seconds']:.2f} | {row['processor']:.2f} | {rate / 1e9:.2f} | "
            f"{100 * rate / bandwidth:.1f} % | {row['peak']:.2f} | "
            f"{row['seconds'] / found['images']['seconds']:.1f} |"
        )
    reached = found["images"]["seconds"] < GOAL and max(peaks.values()) < MOST
    told = ", ".join(f"{peak:.2f} GiB for {count} pairs" for count, peak in peaks.items())
    lines += [
        "",
        f"Peak memory of the first row, PyTorch's own and the patient's counted in: {told}. The "
        f"goal of {GOAL} s and {MOST:g} GiB is {'reached' if reached else 'missed'}.",
        "",
        "A whole patient on one core: five contrasts of Simko et al. 2021, 256 x 256 x 24, with "
        "motion, noise and a coil's field.",
        "",
        "| anatomy | anatomy s | 5 scans s | true maps s | together s | peak GiB |",
        "|---|---|---|---|---|---|",
    ]
    for anatomy, row in whole.items():
        steps = [row["anatomy"], row["scans"], row["maps"]]
        times = " | ".join(f"{step:.2f}" for step in [*steps, sum(steps)])
        lines.append(f"| {anatomy} | {times} | {row['peak']:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the tables, and write them if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        torch.set_num_threads(arguments.threads)
        part(*arguments.part)
        return
    text = tables(arguments.threads)
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
