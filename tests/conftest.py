"""Threads as a rule gives them: one, for every library, before any of them is loaded."""

import os

import pytest

for variable in ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"


def pytest_collection_modifyitems(config, items):
    """Skip what takes minutes, unless `-m` asks for it."""
    if "slow" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            file = item.path.relative_to(config.rootpath)
            why = f"takes minutes; run it with: python -m pytest -n 0 -m slow {file}"
            item.add_marker(pytest.mark.skip(reason=why))
