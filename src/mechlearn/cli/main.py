"""The command ``mechlearn``: it parses, calls, prints, and turns every failure into one line and a status.

Exit status: 0 done; 1 the work failed; 2 the input or usage is wrong; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from mechlearn import __version__
from mechlearn.cli import equations, glass, potential, structures, study
from mechlearn.cli.help import Group
from mechlearn.errors import MechlearnError, interrupt_behind

app = typer.Typer(
    name="mechlearn",
    cls=Group,
    help="Machine learning for the mechanics of materials, from a simulation to a verdict to trust.",
    epilog="Example: mechlearn study run transferability --preset quick --out demo-output",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(structures.app, name="structures")
app.add_typer(potential.app, name="potential")
app.add_typer(equations.app, name="equations")
app.add_typer(glass.app, name="glass")
app.add_typer(study.app, name="study")

#: What a user can mend: wrong paths and rights, of the operating system's many errors.
USER_ERRORS = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def show_version(wanted: bool) -> bool:
    """Print the version and stop, if that is wanted."""
    if wanted:
        typer.echo(f"mechlearn {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, on any command.")] = False,
) -> None:
    """Options that belong to no single command; ``--debug`` is taken up by :func:`run`."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the word ``mechlearn``; the process's own arguments where it is left out.

    Returns
    -------
    int
        0, 1, 2 or 130, as the module says.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        # Not app(): it turns a Ctrl-C and a closed pipe into bare statuses, and loses what they say.
        command = get_command(app)
        with command.make_context("mechlearn", [word for word in words if word != "--debug"]) as context:
            command.invoke(context)
        sys.stdout.flush()
    except typer.Exit as end:
        return end.exit_code
    except (Exception, KeyboardInterrupt) as error:
        if debug:
            import traceback

            traceback.print_exception(error)
        status, message = verdict(error)
        complain(message)
        return status
    return 0


def verdict(error: BaseException) -> tuple[int, str]:
    """The exit status for an error, and the one line that a user reads (empty where there is nothing to say).

    Examples
    --------
    >>> from mechlearn.errors import InputError
    >>> verdict(InputError("reading a.json: no such file"))
    (2, 'reading a.json: no such file')
    """
    error = interrupt_behind(error) or error
    match error:
        case MechlearnError():
            return error.exit_status, str(error)
        case KeyboardInterrupt():
            return 130, str(error) or "stopped; what is done stays, and the same command goes on"
        case typer.TyperException():
            return usage_verdict(error)
        case BrokenPipeError():
            # Whoever read our output has gone; Python would complain about it once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1, ""
        case OSError() if error.errno in NO_SPACE:
            place = f"writing {error.filename}: " if error.filename else ""
            return 1, f"{place}no space left on the disk; free some, and the same command goes on"
        case OSError() if isinstance(error, USER_ERRORS):
            return (
                2,
                f"{error.filename or 'a file'}: {(error.strerror or str(error)).lower()}; check the path",
            )
        case MemoryError():
            return 1, "out of memory; use fewer workers or smaller settings"
        case _:
            return 1, f"{type(error).__name__}: {error}; run again with --debug to see where"


def usage_verdict(error: typer.TyperException) -> tuple[int, str]:
    """A wrong option or argument, with the command that has the right ones."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "mechlearn"
    message = error.format_message().rstrip(". ") if hasattr(error, "format_message") else str(error)
    message = message[:1].lower() + message[1:]
    return int(getattr(error, "exit_code", 2)), f"{message or 'a command is missing'} (see: {command} --help)"


def complain(message: str) -> None:
    """Print one line on standard error."""
    if message:
        print(f"mechlearn: {' '.join(message.split())}", file=sys.stderr)
