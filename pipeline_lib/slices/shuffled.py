"""The order in which samples are read, of any length: a number decides it."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

# Longer orders are computed place by place instead of listed: this many places are 8 MB.
LISTED = 2**20
ROUNDS = 6
_WORD = 2**64 - 1


def place_in_order(number: int, count: int, seed: int) -> int:
    """Give the item that sample `number` reads: epoch after epoch, each in an order of its own.

    Parameters
    ----------
    number
        From 0 on; an epoch is `count` samples.
    count
        Items, each of which an epoch has once.
    seed
        Of the orders.
    """
    epoch, position = divmod(number, count)
    if count <= LISTED:
        return int(_order(seed, epoch, count)[position])
    return permuted(position, count, _keys(seed, epoch))


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, 0]).permutation(count)


@lru_cache(maxsize=2)
def _keys(seed: int, epoch: int) -> tuple[int, ...]:
    draws = np.random.default_rng([seed, epoch, 0]).integers(_WORD, size=ROUNDS, dtype=np.uint64)
    return tuple(map(int, draws))


def permuted(position: int, count: int, keys: Iterable[int]) -> int:
    """Give the image of a place under a random permutation of which nothing is listed.

    A Feistel network (Luby and Rackoff 1988) on the next even power of two, walked until it is
    back among the items (Black and Rogaway 2002, Ciphers with arbitrary finite domains).

    Parameters
    ----------
    position
        From 0 to `count - 1`.
    count
        Number of places.
    keys
        Random numbers of 64 bits, one a round.
    """
    half = (max(count - 1, 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = position >> half, position & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        position = left << half | right
        if position < count:
            return position


def _mixed(word: int) -> int:
    """Scatter the bits of a word (the last steps of SplitMix64, Steele et al. 2014)."""
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ word >> 27) * 0x94D049BB133111EB & _WORD
    return word ^ word >> 31
