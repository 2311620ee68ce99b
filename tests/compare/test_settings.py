"""Settings by their dotted names."""

import pytest

from pipeline_lib.compare.settings import (
    ABSENT,
    SettingDifference,
    count_settings,
    setting_differences,
)


def test_settings_are_compared_by_their_dotted_names_whatever_their_order():
    first = {"seed": 1, "models": {"unet": {"steps": 300, "width": 8}}}
    second = {"models": {"unet": {"width": 8, "steps": 400}}, "seed": 1}
    found = list(setting_differences(first, second))
    assert found == [SettingDifference("models.unet.steps", 300, 400)]


def test_a_section_of_one_alone_is_one_difference():
    extra = {"steps": 300, "loss": {"name": "l1"}}
    found = list(setting_differences({"a": {}}, {"a": {"unet": extra}}))
    assert found == [SettingDifference("a.unet", ABSENT, extra)]
    assert count_settings(extra) == 2


def test_no_value_is_not_the_same_as_no_setting():
    assert list(setting_differences({"loss": None}, {})) == [
        SettingDifference("loss", None, ABSENT)
    ]


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [(True, 1, True), (1, 1.0, False), ([1, 2], [2, 1], True), ({"a": 1}, None, True)],
)
def test_what_counts_as_the_same_value(one, other, differ):
    assert bool(list(setting_differences({"x": one}, {"x": other}))) == differ
