"""``mechlearn structures``."""

import typer

app = typer.Typer(no_args_is_help=True, help="structures")


@app.command("info", epilog="Example: mechlearn structures info x")
def info() -> None:
    """Info."""
