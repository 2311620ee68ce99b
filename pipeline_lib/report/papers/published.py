"""The numbers that the four papers print, as data; each is named by its table and row.

Nothing here was measured by this project. Where a paper contradicts itself, both numbers stand as
printed.
"""

from dataclasses import dataclass

NONE = float("nan")


@dataclass(frozen=True)
class Spread:
    """Mean ± SD; the SD is NaN where there is none. What it is taken over differs by paper."""

    mean: float
    sd: float = NONE


# Simko et al., "Changing the contrast of magnetic resonance imaging signals using deep learning",
# MIDL 2021, Table 1: (TE, TR) of each contrast in seconds.
SIMKO_TABLE_1 = ((0.075, 4.5), (0.12, 4.5), (0.008, 0.4), (0.008, 0.75), (0.008, 4.5))

# Table 2: columns `Baseline` (the input as answer) and `Model`.
SIMKO_TABLE_2 = {
    "mse": {"baseline": Spread(0.010, 0.007), "model": Spread(0.004, 0.002)},
    "nrmse": {"baseline": Spread(0.215, 0.080), "model": Spread(0.144, 0.041)},
    "psnr": {"baseline": Spread(21.53, 3.93), "model": Spread(25.05, 2.51)},
    "ssim": {"baseline": Spread(0.961, 0.019), "model": Spread(0.974, 0.011)},
}

# Table 3: tissue -> parameter -> (`LSQ`, `Model`); T1 and T2 in seconds, PD on an arbitrary scale.
SIMKO_TABLE_3 = {
    "fat": {
        "PD": (Spread(0.60, 0.09), Spread(0.58, 0.09)),
        "T1": (Spread(0.38, 0.07), Spread(0.43, 0.07)),
        "T2": (Spread(0.21, 0.05), Spread(0.06, 0.01)),
    },
    "muscle": {
        "PD": (Spread(0.31, 0.08), Spread(0.30, 0.06)),
        "T1": (Spread(0.76, 0.19), Spread(0.72, 0.17)),
        "T2": (Spread(0.07, 0.03), Spread(0.04, 0.01)),
    },
    "bladder": {
        "PD": (Spread(0.54, 0.16), Spread(0.38, 0.13)),
        "T1": (Spread(3.07, 0.90), Spread(1.97, 0.78)),
        "T2": (Spread(2.71, 1.89), Spread(0.12, 0.04)),
    },
    "prostate": {
        "PD": (Spread(0.43, 0.04), Spread(0.37, 0.08)),
        "T1": (Spread(1.20, 0.16), Spread(1.34, 0.52)),
        "T2": (Spread(0.11, 0.02), Spread(0.06, 0.03)),
    },
}

# Alkan, Cocjin, Weitz, "Magnetic resonance contrast prediction using deep learning", Stanford 2017:
# table -> (layers, with tissue masks) -> loss, in squared intensities of the Human Connectome
# Project. Table 1 is within one subject, Tables 2 and 3 across, trained on 1 and on 50.
ALKAN_TABLES = {
    1: {(3, False): 12795.0, (3, True): 10664.0, (9, False): 5177.0, (9, True): 4091.0},
    2: {(3, False): 20385.0, (3, True): 16627.0, (9, False): 12643.0, (9, True): 9783.0},
    3: {(9, False): 9093.0, (9, True): 7728.0},
}

# Xiong et al., "Contrast representation learning from imaging parameters for magnetic resonance
# image synthesis", MICCAI 2024. Numbers of the sequences that have a name.
CRL_NAMES = {1: "T1-FLAIR", 5: "PD", 7: "T2", 9: "T2-FLAIR"}

# Table 2: (source, target) as its header names them -> system -> (PSNR in dB, SSIM in %).
CRL_TABLE_2 = {
    (5, 9): {
        "pGAN": (Spread(26.05, 1.28), Spread(90.47, 1.30)),
        "PTNet": (Spread(21.24, 1.77), Spread(81.24, 1.04)),
        "ResViT": (Spread(26.12, 1.11), Spread(91.72, 1.95)),
        "CRL": (Spread(29.40, 0.76), Spread(92.18, 0.90)),
    },
    (5, 1): {
        "pGAN": (Spread(24.50, 0.80), Spread(83.01, 0.80)),
        "PTNet": (Spread(21.16, 1.30), Spread(77.14, 1.18)),
        "ResViT": (Spread(25.04, 0.60), Spread(87.72, 0.60)),
        "CRL": (Spread(26.21, 0.42), Spread(88.05, 0.64)),
    },
    (5, 7): {
        "pGAN": (Spread(29.47, 0.64), Spread(92.58, 1.04)),
        "PTNet": (Spread(26.07, 0.52), Spread(93.00, 0.59)),
        "ResViT": (Spread(28.38, 0.57), Spread(96.63, 0.42)),
        "CRL": (Spread(31.68, 0.44), Spread(96.91, 0.27)),
    },
    (7, 5): {
        "pGAN": (Spread(30.08, 0.60), Spread(92.81, 1.64)),
        "PTNet": (Spread(27.24, 0.73), Spread(93.07, 0.89)),
        "ResViT": (Spread(29.48, 0.81), Spread(96.51, 1.60)),
        "CRL": (Spread(30.87, 0.33), Spread(96.89, 0.4)),
    },
    (7, 1): {
        "pGAN": (Spread(27.18, 1.29), Spread(89.68, 1.40)),
        "PTNet": (Spread(21.90, 0.83), Spread(82.59, 0.67)),
        "ResViT": (Spread(27.23, 1.48), Spread(92.54, 1.59)),
        "CRL": (Spread(28.97, 1.10), Spread(92.62, 0.90)),
    },
    (7, 9): {
        "pGAN": (Spread(24.90, 0.52), Spread(84.64, 1.25)),
        "PTNet": (Spread(22.00, 0.62), Spread(79.87, 1.13)),
        "ResViT": (Spread(24.41, 0.52), Spread(87.96, 1.45)),
        "CRL": (Spread(25.42, 0.73), Spread(88.07, 0.66)),
    },
}

# Table 3: PSNR in dB of CRL; row = source, then targets 1 to 9. Row 6 lacks its cell for target 5.
CRL_TABLE_3 = {
    1: (NONE, 28.18, 24.89, 24.45, 24.75, 19.74, 24.45, 24.89, 24.75),
    2: (29.54, NONE, 26.01, 26.43, 24.98, 19.45, 27.08, 22.37, 24.47),
    3: (27.64, 27.65, NONE, 27.88, 30.75, 22.99, 28.80, 24.42, 24.64),
    4: (28.34, 28.50, 29.96, NONE, 28.40, 20.69, 20.42, 25.28, 26.09),
    5: (29.40, 28.93, 30.22, 21.40, NONE, 21.93, 31.68, 26.22, 26.21),
    6: (23.71, 19.64, 20.92, 22.37, NONE, NONE, 19.48, 17.83, 19.37),
    7: (28.97, 28.43, 32.90, 29.23, 30.87, 25.97, NONE, 26.65, 25.42),
    8: (33.41, 22.04, 27.74, 20.54, 20.21, 20.00, 35.89, NONE, 24.52),
    9: (29.98, 26.33, 24.89, 25.17, 25.29, 22.12, 24.56, 24.50, NONE),
}
# Its column `Avg`, which is the mean of the row's cells in no row.
CRL_TABLE_3_AVERAGES = {
    1: 24.08, 2: 24.52, 3: 25.58, 4: 25.43, 5: 26.26, 6: 20.64, 7: 27.77, 8: 25.60, 9: 24.86,
}  # fmt: skip
CRL_UNSEEN = (4, 6)

# Narang et al., "Deep learning-based MR image re-parameterization", BIOENG 2022: model type ->
# (PSNR in dB, mean absolute difference in grey values of 8 bits).
NARANG_TABLE_1 = {
    "Default-to-Param": (Spread(30.34, 1.04), Spread(5.25, 1.74)),
    "Param-to-Param": (Spread(24.80, 1.68), Spread(9.51, 4.55)),
}
NARANG_TABLE_2 = {
    "Default-to-Param": (Spread(20.12, 2.89), Spread(22.3, 6.73)),
    "Param-to-Param": (Spread(16.12, 2.21), Spread(34.09, 9.98)),
}
