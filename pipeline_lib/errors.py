"""The one kind of error that a user is meant to read, and the help it gives with spelling."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """A bad input, told in one sentence: which file or setting, what is wrong, what to do.

    Stages print the sentence alone and stop; any other exception is a fault of the program
    and keeps its traceback.
    """


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Give ` (did you mean X?)` with the nearest known spelling, or nothing where none is near."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]}?)" if close else ""


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse a setting that is none of its choices.

    Raises
    ------
    InputError
        If it is not.
    """
    choices = list(choices)
    if value not in choices:
        raise InputError(f"{name} is {' or '.join(choices)}, not {value!r}")
