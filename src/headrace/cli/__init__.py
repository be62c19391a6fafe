"""Commands, flags, output."""


def main() -> None:
    """Run the command that was typed."""
    # Here, so that a worker process, which lives in this package, loads no commands.
    from headrace.cli.main import app  # noqa: PLC0415

    app()
