"""Virtual patients small enough to draw in a moment."""

from dataclasses import replace

from pipeline_lib.phantom.cohort import VirtualSettings, streams, virtual_patient
from pipeline_lib.phantom.motion import Motion

PELVIS = VirtualSettings(
    "pelvis", 3.0, (64, 48, 8), (6.0, 6.0, 12.0), "exact", 0.01, 0.3, Motion(5.0, 5.0), None
)
BRAIN = replace(PELVIS, anatomy="brain", size=(48, 56, 8), spacing=(4.0, 4.0, 16.0))


def patient(settings, name="sub-001", seed=3):
    return virtual_patient(settings, streams(seed, "cohort", name))
