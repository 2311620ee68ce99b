"""A model's flat section of the configuration, taken apart into the settings of each part."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from pipeline_lib.errors import InputError

Settings = TypeVar("Settings")


def settings_of(kind: type[Settings], model: Mapping[str, Any]) -> Settings:
    """Make a settings dataclass of the keys of `model` that are its fields.

    Raises
    ------
    InputError
        If one is missing, or the dataclass refuses a value.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    missing = [name for name in names if name not in model]
    if missing:
        raise InputError(f"the model {model.get('name', '')} lacks the setting {missing[0]}")
    return kind(**{name: model[name] for name in names})
