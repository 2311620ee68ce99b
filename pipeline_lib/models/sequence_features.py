"""Sequences as numbers that a network can be told (for FiLM)."""

from collections.abc import Sequence as Listing
from math import log

import torch
from torch import Tensor

from pipeline_lib.signal.sequences import Sequence

# Times are given to the network as log(time / typical) / spread, which lies within about -2..2
# for clinical sequences, so that 8 and 16 ms are as far apart as 60 and 120 ms.
TYPICAL_SECONDS = {"te": 0.03, "tr": 2.0, "ti": 1.0}
SPREAD = 1.5
FEATURES_A_SEQUENCE = 5


def sequence_features(sequences: Listing[Sequence]) -> Tensor:
    """Describe sequences by numbers near 0: TE, TR, TI on a log scale, inversion, echo train.

    Parameters
    ----------
    sequences
        Any; without an inversion the feature of TI is 0.

    Returns
    -------
        float32 [sequence, 5].
    """

    def scaled(name: str, seconds: float | None) -> float:
        return 0.0 if seconds is None else log(seconds / TYPICAL_SECONDS[name]) / SPREAD

    return torch.tensor(
        [
            [
                scaled("te", sequence.te),
                scaled("tr", sequence.tr),
                scaled("ti", sequence.ti),
                float(sequence.has_inversion),
                float(sequence.is_train),
            ]
            for sequence in sequences
        ],
        dtype=torch.float32,
    )
