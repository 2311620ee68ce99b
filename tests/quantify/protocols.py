"""Protocols that several tests fit."""

from pipeline_lib.signal.sequences import Sequence

# Simko et al. 2021, Table 1.
SIMKO = [
    Sequence("SE", 0.075, 4.5),
    Sequence("SE", 0.12, 4.5),
    Sequence("SE", 0.008, 0.4),
    Sequence("SE", 0.008, 0.75),
    Sequence("SE", 0.008, 4.5),
]
