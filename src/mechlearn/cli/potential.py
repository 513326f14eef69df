"""``mechlearn potential``."""

import typer

app = typer.Typer(no_args_is_help=True, help="potential")


@app.command("info", epilog="Example: mechlearn potential info x")
def info() -> None:
    """Info."""
