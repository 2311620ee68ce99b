"""A training step of every system: as a user would write it from its paper, and as it is here.

    python -m benchmarks.train_step --output benchmarks/results/2026-11-21-train-step.md

Both sides do the same step on the same sizes (the paper's, see benchmarks/plain), one after the
other in processes of their own, so that the peak memory is each one's. `plain` is float32, every
pass as the text says; `here` is the project's step at paper scale in the precision that `auto`
chooses. The best of several steps counts, on both sides. What a step reaches is given as a share
of a large matrix product's rate, measured in the same run, in bfloat16 and in float32.

CRL is measured on one patch of 32 x 32 pixels in 7 contrasts: the 42 passes of the plain form keep
some 50 GiB at the published 4 x 64 x 64.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.steps_here import step_here
from pipeline_lib.training.machine import prefer_huge_pages

ROOT = Path(__file__).parents[1]
# System: module of the plain step, and its arguments.
SYSTEMS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "crl_paper": ("crl", {"form": "paper", "batch": 1, "size": 32}),
    "crl_code": ("crl", {"form": "code", "batch": 1, "size": 32}),
    "paramnet": ("paramnet", {}),
    "autoencoder": ("autoencoder", {}),
    "pgan": ("pgan", {}),
    "resvit": ("resvit", {}),
    "ptnet": ("ptnet", {}),
    "simko": ("simko", {"channels": 32}),
    "alkan": ("alkan", {}),
    "unet": ("unet", {}),
}
MATRIX = 4096


def main() -> None:
    """Measure the systems asked for and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--steps", type=int, default=3, help="steps that are timed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--one", nargs=2, metavar=("SIDE", "SYSTEM"), help="used by itself")
    parser.add_argument("--output", type=Path, help="table to write; else it is printed")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.one:
        print(json.dumps(measure(*arguments.one, arguments.steps, arguments.device)))
        return
    rates = {kind: matrix_rate(kind, arguments.device) for kind in (torch.bfloat16, torch.float32)}
    rows = []
    for system in arguments.systems:
        sides = {side: in_own_process(side, system, arguments) for side in ("plain", "here")}
        rows.append(row(system, sides["plain"], sides["here"], rates))
        print(rows[-1], file=sys.stderr)
    text = table(rows, rates, arguments)
    if arguments.output:
        arguments.output.write_text(text)
    else:
        print(text)


def in_own_process(side: str, system: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run `measure` in a fresh process."""
    command = [
        sys.executable, "-m", "benchmarks.train_step", "--one", side, system,
        "--steps", str(arguments.steps), "--threads", str(arguments.threads),
        "--device", arguments.device,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{side} {system}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(side: str, system: str, steps: int, device: str) -> dict[str, Any]:
    """Time the best of some steps after one that warms up, and give the peak memory."""
    if side == "here" and system == "alkan":
        prefer_huge_pages()  # as its stage does
    torch.manual_seed(0)
    module, arguments = SYSTEMS[system]
    plain = import_module(f"benchmarks.plain.{module}").PlainStep(device=device, **arguments)
    batch = plain.make_batch(torch.Generator(device).manual_seed(0))
    cost = {"flops": 0.0, "expected": 0.0, "precision": "float32"}
    if side == "plain":

        def step() -> Any:
            return plain.step(batch)
    else:
        shapes = {name: value.shape for name, value in batch.items()}
        del plain, batch
        step, expected, precision = step_here(system, shapes, settings_of(system), device)
        gib = expected.memory_bytes / 2**30
        cost = {"flops": expected.flops, "expected": gib, "precision": precision}
    seconds = [timed(step, device) for _ in range(steps + 1)][1:]
    return {"seconds": min(seconds), "gib": memory(device), **cost}


def settings_of(system: str) -> dict[str, Any]:
    """Give the settings of a system at paper scale; the autoencoder's are Param-Net's."""
    scales = yaml.safe_load((ROOT / "config/scales.yaml").read_text())["paper"]
    return scales["every_system"] | scales["paramnet" if system == "autoencoder" else system]


def timed(step: Callable[[], Any], device: str) -> float:
    """Seconds of one step."""
    synchronise(device)
    start = time.perf_counter()
    step()
    synchronise(device)
    return time.perf_counter() - start


def synchronise(device: str) -> None:
    """Wait for a GPU."""
    if device == "cuda":
        torch.cuda.synchronize()


def memory(device: str) -> float:
    """Peak memory so far in GiB: of the GPU's allocator, or of the process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def matrix_rate(kind: torch.dtype, device: str) -> float:
    """FLOP/s of the best of several products of two large square matrices."""
    a = torch.randn(MATRIX, MATRIX, device=device).to(kind)
    seconds = min(timed(lambda: a @ a, device) for _ in range(6))
    return 2 * MATRIX**3 / seconds


def row(
    system: str,
    plain: Mapping[str, Any],
    here: Mapping[str, Any],
    rates: Mapping[torch.dtype, float],
) -> str:
    """One line of the table."""
    share = here["flops"] / here["seconds"] / rates[getattr(torch, here["precision"])]
    return (
        f"| {system} | {plain['seconds']:.2f} | {here['seconds']:.2f} "
        f"| **{plain['seconds'] / here['seconds']:.2f}** | {plain['gib']:.2f} | {here['gib']:.2f} "
        f"| {plain['gib'] / here['gib']:.2f} | {here['expected']:.2f} "
        f"| {here['flops'] / 1e9:,.0f} | {here['precision']} | {share:.0%} |"
    )


def table(
    rows: list[str], rates: Mapping[torch.dtype, float], arguments: argparse.Namespace
) -> str:
    """Give the whole page."""
    name = platform.processor() or platform.machine()
    if arguments.device == "cuda":
        name = torch.cuda.get_device_name()
    given = ", ".join(f"{str(kind)[6:]} {rate / 1e12:.2f} TFLOP/s" for kind, rate in rates.items())
    head = (
        "| system | plain s | here s | faster by | plain GiB | here GiB | smaller by "
        "| preflight's GiB | GFLOP a step here | precision here "
        "| share of the matrix product's rate |"
    )
    return "\n".join(
        [
            "# Training steps", "", (__doc__ or "").split("\n\n", 2)[2].strip(), "",
            f"Machine: {name}, {arguments.threads} threads of {multiprocessing.cpu_count()}, "
            f"torch {torch.__version__}; a {MATRIX} x {MATRIX} matrix product: {given}. "
            f"Best of {arguments.steps} steps.", "",
            head, "|" + "---|" * 11, *rows, "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
