"""The signals of a mixture of tissues in many contrasts, as sums of long vectors."""

from collections.abc import Callable
from collections.abc import Sequence as Series
from math import log
from typing import Literal

import torch
from torch import Tensor

from pipeline_lib.phantom.mixture import Mixture
from pipeline_lib.signal.equations import Form, signal
from pipeline_lib.signal.protocol import Protocol
from pipeline_lib.signal.pulses import PulseModel
from pipeline_lib.signal.sequences import Sequence
from pipeline_lib.signal.tissues import Tissue

ScannerForm = Form | Literal["epg"]

# Elements (contrasts x voxels) worked on at a time: few enough that what a core reads and writes
# stays in its cache, and enough that a graphics processor is busy.
ELEMENTS = {"cpu": 1 << 17, "cuda": 1 << 23}
# Torch computes 2^x in vectors of up to 32 numbers, and what is left over at the end by another
# function, which rounds differently: blocks are made so that nothing is left over.
VECTOR = 32

Add = Callable[[Tensor, int], None]


class MixedSignals:
    """Signed signals of a mixture: what the portions of each voxel give, added up.

    The equations are those of `pipeline_lib.signal`. Every number comes from the same operations
    on the same values whatever the contrasts beside it, the block of voxels or the number of
    threads, so results are the same to the bit.

    Parameters
    ----------
    mixture
        On the device that is to compute.
    form
        Of the signal equation; `epg` for pulses that are not ideal.
    """

    def __init__(self, mixture: Mixture, form: ScannerForm) -> None:
        self.mixture, self.form = mixture, form
        device = mixture.pd.device
        self.elements = max(ELEMENTS.get(device.type, ELEMENTS["cuda"]), VECTOR)
        # 2^(-t log2(e) / T) takes a quarter of the time of exp(-t / T). Blocks may read on behind
        # the last portion.
        self.rates = torch.zeros(2, len(mixture.pd) + self.elements, device=device)
        for rates, times in zip(self.rates, (mixture.t1, mixture.t2), strict=True):
            torch.div(-1 / log(2), times, out=rates[: len(times)])

    def of(self, sequences: Series[Sequence], b1: Tensor | None = None) -> Tensor:
        """Measure with some sequences.

        Parameters
        ----------
        sequences
            One a contrast.
        b1
            Actual flip angle over the nominal one of each portion, [portion]; only form `epg`
            looks at it. 1 if left out.

        Returns
        -------
            [contrast, voxel], float32; `Mixture.image` puts a row of it in its place.
        """
        mixture = self.mixture
        total = torch.zeros(len(sequences), len(mixture.places), device=mixture.pd.device)
        width = max(self.elements // len(sequences) // VECTOR, 1) * VECTOR
        if self.form == "epg":
            add = self._adder_of_pulses(sequences, b1)
        else:
            add = self._adder(sequences, width)
        for start in range(0, len(mixture.places), width):
            first = 0
            for count in mixture.counts:
                # The voxels with a portion of this rank are the first `count`.
                if count <= start:
                    break
                add(total[:, start : min(start + width, count)], first + start)
                first += count
        return total

    def _adder(self, sequences: Series[Sequence], width: int) -> Add:
        """Give what adds ideal pulses' signals of the portions from a place on to some voxels."""
        device = self.mixture.pd.device
        protocol = Protocol.of(sequences, self.form, torch.float32, device)  # type: ignore[arg-type]
        times, te = protocol.times.T[:, :, None], protocol.te[:, None]
        weights = protocol.weights.T[:, :, None].unbind()
        decays = torch.empty(len(times) + 1, len(sequences), width, device=device)
        *recoveries, decay = decays.unbind()
        r1, r2 = self.rates

        def add(total: Tensor, start: int) -> None:
            torch.mul(times, r1[start : start + width], out=decays[:-1])
            torch.mul(te, r2[start : start + width], out=decay)
            decays.exp2_()
            longitudinal = recoveries[0].mul_(weights[0]).add_(1)
            for recovery, weight in zip(recoveries[1:], weights[1:], strict=True):
                longitudinal.addcmul_(recovery, weight)
            signals = longitudinal.mul_(decay)[:, : total.shape[1]]
            total.addcmul_(signals, self.mixture.pd[start : start + total.shape[1]])

        return add

    def _adder_of_pulses(self, sequences: Series[Sequence], b1: Tensor | None) -> Add:
        """Give the same for pulses that are not ideal."""
        mixture = self.mixture
        # A model of several is as fine as its longest train asks for; alone, none changes another.
        models = [PulseModel([one], torch.float32, mixture.pd.device) for one in sequences]
        angles = torch.ones_like(mixture.pd) if b1 is None else b1

        def add(total: Tensor, start: int) -> None:
            some = slice(start, start + total.shape[1])
            portions = (mixture.pd[some], mixture.t1[some], mixture.t2[some], angles[some])
            for contrast, model in zip(total, models, strict=True):
                contrast += model.signed_signals(*portions)[0]

        return add


def signal_of(sequence: Sequence, tissue: Tissue, form: ScannerForm) -> float:
    """Give the magnitude of the signal of one tissue in one sequence, flip angles as they are."""
    if form != "epg":
        return float(signal(sequence, tissue.pd, tissue.t1, tissue.t2, form))
    values = torch.tensor([[tissue.pd], [tissue.t1], [tissue.t2], [1.0]])
    return float(PulseModel([sequence]).signed_signals(*values).abs())
