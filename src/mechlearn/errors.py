"""The errors that a user can cause, each with a message that says what to do."""


class MechlearnError(Exception):
    """Base of all errors raised on purpose; the command line prints it without a traceback."""

    exit_status = 1


class InputError(MechlearnError):
    """What was given cannot be used: a file, an option, an array (exit status 2)."""

    exit_status = 2


class WorkError(MechlearnError):
    """The work itself failed: a calculation did not converge, a disk filled (exit status 1)."""


def interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C that an error came from, if any: a compiled function that is interrupted raises a SystemError.

    Examples
    --------
    >>> interrupt_behind(ValueError("three is not allowed")) is None
    True
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error


def installation(extra: str) -> str:
    """How to install what an optional part needs, for who has the package and for who works in a checkout.

    Examples
    --------
    >>> installation("nn")
    "pip install 'mechlearn[nn]' (in a checkout: pip install '.[nn]')"
    """
    return f"pip install 'mechlearn[{extra}]' (in a checkout: pip install '.[{extra}]')"
