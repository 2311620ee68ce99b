"""Learning rates as functions of the step, counted from 0."""

from math import cos, pi


def warm_cosine(step: int, steps: int, rate: float, warm_up: float) -> float:
    """Rise in a straight line for the share `warm_up` of the steps, then half a cosine to 0."""
    rising = warm_up * steps
    if step < rising:
        return rate * (step + 1) / rising
    share = (step - rising) / max(steps - rising, 1)
    return rate * (1 + cos(pi * share)) / 2


def halved(step: int, rate: float, every: int) -> float:
    """Halve the rate after each `every` steps."""
    return rate * 0.5 ** (step // every)


def held_then_falling(step: int, steps: int, rate: float, falling: int) -> float:
    """Hold the rate, then let it fall in a straight line to 0 in the last `falling` steps."""
    left = steps - step
    return rate * min(1.0, left / (falling + 1))
