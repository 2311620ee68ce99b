"""Contrasts, unseen contrasts and pairs that a configuration has drawn instead of named."""

import math
from collections.abc import Mapping
from collections.abc import Sequence as Listing
from random import Random
from typing import Any


def draw_contrasts(dataset: dict[str, Any], name: str, seed: int) -> None:
    """Add the contrasts of `drawn_contrasts` to those of a dataset, as drawn001, drawn002, ...

    TR is uniform and TE log-uniform between their limits, so that short echo times are denser;
    Narang et al. 2022 (section 3.3) state the ranges and that much. Rounded to 0.1 ms.

    Parameters
    ----------
    dataset
        Section of the configuration; loses `drawn_contrasts`.
    name, seed
        Of the dataset and the configuration: what the draws depend on.
    """
    asked = dataset.pop("drawn_contrasts", None)
    if not asked:
        return
    for number in range(1, asked["count"] + 1):
        # Each from draws of its own: one more contrast leaves the others as they are.
        draws = Random(f"{seed}/{name}/contrast {number}")
        dataset["contrasts"][f"drawn{number:03d}"] = {
            "sequence": asked["sequence"],
            "te": round(math.exp(draws.uniform(*map(math.log, asked["te"]))), 4),
            "tr": round(draws.uniform(*asked["tr"]), 4),
        }


def draw_unseen(
    experiment: dict[str, Any], name: str, contrasts: Listing[str], keep: Listing[str], seed: int
) -> None:
    """Name the contrasts of `unseen: {drawn: n}`, in their order, none of those to keep."""
    if not isinstance(experiment["unseen"], Mapping):
        return
    free = [contrast for contrast in contrasts if contrast not in keep]
    count = min(experiment["unseen"]["drawn"], len(free))
    drawn = Random(f"{seed}/{name}/unseen").sample(free, count)
    experiment["unseen"] = [contrast for contrast in free if contrast in drawn]


def draw_pairs(experiment: dict[str, Any], name: str, contrasts: Listing[str], seed: int) -> None:
    """Name the pairs of `pairs: {drawn: n, sources: [...]}`.

    Each contrast is a target as often as any other, give or take one; its sources are drawn from
    those allowed, itself apart. Asked for more pairs than there are, all are taken.
    """
    asked = experiment["pairs"]
    if not isinstance(asked, Mapping):
        return
    sources = asked.get("sources") or list(contrasts)
    draws = Random(f"{seed}/{name}/pairs")
    of_target = {target: [s for s in sources if s != target] for target in contrasts}
    targets = list(contrasts)
    draws.shuffle(targets)
    for left in of_target.values():
        draws.shuffle(left)
    possible = sum(map(len, of_target.values()))
    count = min(asked.get("drawn", possible), possible)
    pairs: list[list[str]] = []
    while len(pairs) < count:
        for target in targets:
            if of_target[target] and len(pairs) < count:
                pairs.append([of_target[target].pop(), target])
    order = list(contrasts)
    experiment["pairs"] = sorted(pairs, key=lambda pair: [order.index(each) for each in pair])
