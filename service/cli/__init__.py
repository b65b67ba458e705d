"""The tidegauge command."""

import sys

from service.errors import InvalidConfiguration, TidegaugeError


def main() -> None:
    """Run the command; an error of ours is a sentence and an exit code, never a traceback."""
    from service.cli.commands import app  # noqa: PLC0415  # late: `python -m service.cli` imports this module first

    try:
        app()
    except InvalidConfiguration as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
    except TidegaugeError as error:
        sys.stderr.write(f"tidegauge: {error}\n")
        sys.exit(1)
