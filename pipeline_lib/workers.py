"""Work on several things at once, each on one core, results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Iterator[Result]:
    """Give a function's results for each item, made by some threads, few of them ahead.

    Torch would share out every small operation among its threads, who then wait for each other
    longer than they work, above all where other programs want the cores too; here each thread
    does the whole of an item by itself.

    Parameters
    ----------
    function
        Of one item; may use torch and NumPy.
    items
        As many results are held as there are threads, no more.
    threads
        With 1 the caller's own thread does it.
    """
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        _take_one_core_each(pool, threads)
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _take_one_core_each(pool: ThreadPoolExecutor, threads: int) -> None:
    """Let torch use one core in each thread of a pool, and as many as before elsewhere."""
    before, all_there = torch.get_num_threads(), Barrier(threads)

    def begin(_: int) -> None:
        all_there.wait()
        # A thread that has not asked yet would still take the number told to all of them.
        torch.get_num_threads()
        torch.set_num_threads(1)

    list(pool.map(begin, range(threads)))
    # What torch tells threads that are still to be made changed with it.
    torch.set_num_threads(before)
