import threading
import time

import pytest
import torch

from pipeline_lib.workers import in_order


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order(threads):
    def slow_first(number):
        time.sleep(0.02 if number == 0 else 0)
        return number * number

    assert list(in_order(slow_first, range(10), threads)) == [n * n for n in range(10)]


def test_few_results_are_held_ahead():
    asked = []

    def items():
        for number in range(100):
            asked.append(number)
            yield number

    results = in_order(lambda number: number, items(), 2)
    next(results)
    assert len(asked) <= 4
    results.close()


def test_each_thread_has_one_core_and_the_caller_keeps_its_own():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = list(in_order(lambda _: torch.get_num_threads(), range(6), 2))
        assert seen == [1] * 6
        assert torch.get_num_threads() == 2
        inherited = []
        thread = threading.Thread(target=lambda: inherited.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert inherited == [2]
    finally:
        torch.set_num_threads(before)


def test_an_error_reaches_the_caller():
    def fail(number):
        raise ValueError(f"no {number}")

    with pytest.raises(ValueError, match="no 0"):
        list(in_order(fail, range(3), 2))
