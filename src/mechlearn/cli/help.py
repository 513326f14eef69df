"""Help worded as other programs word theirs: ``PATH`` where an argument goes, nothing beside a flag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from typer.core import TyperCommand, TyperGroup

Parameters = TypeVar("Parameters", bound=Iterable[Any])


# typer has no other way to say how help is worded than to inherit from its commands.
class Command(TyperCommand):
    """A command; arguments stand in its usage line without braces."""

    def get_params(self, ctx: Any) -> Any:
        """The options and arguments, ``--help`` included."""
        return worded(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words of the usage line."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]


class Group(TyperGroup):
    """A group of commands."""

    def get_params(self, ctx: Any) -> Any:
        """The options, ``--help`` included."""
        return worded(super().get_params(ctx))


def worded(parameters: Parameters) -> Parameters:
    """The same parameters: flags show no type, as they take no value; what may be repeated shows that of each."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
        if getattr(parameter, "nargs", 1) == -1:
            shown = f"<{get_args(parameter.type_descriptor.annotation)[0].__name__.lower()}>"
            parameter.display_type = lambda ctx, shown=shown: shown
    return parameters
