"""The command `recontrast`, for what is done by hand beside the workflow."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline_lib.compare import command as compare
from pipeline_lib.crate import command as crate
from pipeline_lib.disk import command as disk
from pipeline_lib.errors import InputError
from pipeline_lib.files import StorageError
from pipeline_lib.phantom import command as simulate
from pipeline_lib.quantify import command as fit
from pipeline_lib.why import command as why

ERROR = 2


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Attributes
    ----------
    summary
        One line of help.
    add_arguments
        Adds its arguments to a parser of its own.
    run
        Does it with the parsed arguments; gives the exit status. It imports what it needs itself,
        so that the help of all commands comes at once.
    """

    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS = {
    "compare": Command(compare.SUMMARY, compare.add_arguments, compare.run),
    "crate": Command(crate.SUMMARY, crate.add_arguments, crate.run),
    "disk": Command(disk.SUMMARY, disk.add_arguments, disk.run),
    "fit": Command(fit.SUMMARY, fit.add_arguments, fit.run),
    "simulate": Command(simulate.SUMMARY, simulate.add_arguments, simulate.run),
    "why": Command(why.SUMMARY, why.add_arguments, why.run),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the subcommand that the command line names.

    Parameters
    ----------
    words
        The command line without the program's name; left out: that of this process.

    Returns
    -------
        The subcommand's exit status; 2 where the input is bad, after one sentence about it.
    """
    parser = argparse.ArgumentParser(prog="recontrast", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        part = commands.add_parser(name, help=command.summary, description=command.summary)
        command.add_arguments(part)
    arguments = parser.parse_args(words)
    try:
        status = COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
    except (InputError, StorageError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return ERROR
    except BrokenPipeError:
        # Whoever read the output has enough of it (`| head`); Python must not flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ERROR
    return status


if __name__ == "__main__":
    sys.exit(main())
