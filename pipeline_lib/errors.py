"""The one kind of error that a user is meant to read."""


class InputError(Exception):
    """A bad input, told in one sentence: which file or setting, what is wrong, what to do.

    Stages print the sentence alone and stop; any other exception is a fault of the program
    and keeps its traceback.
    """
