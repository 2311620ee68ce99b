"""Nested settings, compared by their dotted names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Absent(Enum):
    """Stands for a setting that one of the two doesn't have; `None` is a value."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True)
class SettingDifference:
    """A setting that differs, or a section that only one of the two has.

    Attributes
    ----------
    name
        Dotted path, such as `models.unet.steps`.
    first, second
        Its values; `ABSENT` where there is none.
    """

    name: str
    first: Any
    second: Any


def setting_differences(
    first: Mapping[str, Any], second: Mapping[str, Any], prefix: str = ""
) -> Iterator[SettingDifference]:
    """Give the settings that differ, in the order of the first.

    A section that only one of them has is one difference; a list is one value. The order of
    settings in a section is no difference.
    """
    for key in dict.fromkeys([*first, *second]):
        name = f"{prefix}{key}"
        one, other = first.get(key, ABSENT), second.get(key, ABSENT)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from setting_differences(one, other, f"{name}.")
        # True equals 1 in Python, and a switch is no number.
        elif one != other or isinstance(one, bool) != isinstance(other, bool):
            yield SettingDifference(name, one, other)


def count_settings(settings: Any) -> int:
    """Count the settings in a section; an empty section and any other value count as one."""
    if not isinstance(settings, Mapping) or not settings:
        return 1
    return sum(map(count_settings, settings.values()))
