import pytest

from pipeline_lib.training.schedules import halved, held_then_falling, warm_cosine


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 1.0), (199, 1.0), (200, 0.5), (399, 0.5), (400, 0.25), (1000, 1 / 32)],
)
def test_a_rate_is_halved_after_every_so_many_steps(step, expected):
    assert halved(step, 1.0, 200) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 2.0), (5, 2.0), (6, 2.0 * 4 / 5), (7, 2.0 * 3 / 5), (9, 2.0 / 5), (10, 0.0)],
)
def test_a_rate_is_held_and_falls_to_nothing_after_the_last_step(step, expected):
    """Of 10 steps the last 4 fall, in equal steps of a fifth."""
    assert held_then_falling(step, 10, 2.0, 4) == pytest.approx(expected)


def test_a_rate_that_never_falls_is_held_to_the_last_step():
    assert {held_then_falling(step, 10, 2.0, 0) for step in range(10)} == {2.0}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (0, 0.1),
        (4, 0.5),
        (9, 1.0),
        (10, 1.0),
        (40, 0.75),
        (55, 0.5),
        (70, 0.25),
        (100, 0.0),
    ],
)
def test_a_rate_rises_in_a_line_and_falls_along_a_cosine(step, expected):
    """Cosines of a third, a half and two thirds of a half turn are 1/2, 0 and -1/2."""
    assert warm_cosine(step, 100, 1.0, 0.1) == pytest.approx(expected)


def test_without_a_warm_up_the_first_step_has_the_full_rate():
    assert warm_cosine(0, 100, 1.0, 0.0) == 1
