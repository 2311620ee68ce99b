"""The machine and the packages that a run has; standard library only, the Snakefile imports it."""

import os
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any


def describe_machine() -> dict[str, Any]:
    """Describe this machine, without its name and that of its user.

    Returns
    -------
        `system`, `kernel`, `processor`, `cores` (that this process may use), `memory_gib`, and
        `gpus` (name, memory, driver; empty where there is none or no `nvidia-smi`).
    """
    return {
        "system": _system(),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": _memory(),
        "gpus": _gpus(),
    }


def packages_of(environment: Path) -> dict[str, str]:
    """Versions of all packages of an environment, with Python's own, sorted by name.

    Parameters
    ----------
    environment
        A virtual environment, a conda environment, or the folder that a Python was installed to.
    """
    found = {}
    for path in (environment / "conda-meta").glob("*-*-*.json"):
        name, version, _ = path.stem.rsplit("-", 2)
        found[name] = version
    for library in sorted(environment.glob("lib/python3.*")):
        found.setdefault("python", library.name.removeprefix("python"))
        folders = [str(library / "site-packages"), str(library / "dist-packages")]
        found |= {each.name: each.version for each in distributions(path=folders)}
    if (told := _told_by(environment / "pyvenv.cfg")) is not None:
        found["python"] = told
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _told_by(path: Path) -> str | None:
    """Give the version of Python that a virtual environment names."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() in ("version", "version_info"):
            return value.strip()
    return None


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):  # not a Linux, or one that does not say
        return platform.system()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> float | None:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _gpus() -> list[str]:
    question = [
        "nvidia-smi",
        "--query-gpu=name,memory.total,driver_version",
        "--format=csv,noheader",
    ]
    try:
        answer = subprocess.run(question, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.strip().splitlines() if answer.returncode == 0 else []
