"""Commands of `tidegauge`, run as a shell would, in this process."""

import asyncio

from typer.testing import CliRunner, Result

from service.cli.commands import app


async def tidegauge(*words: str) -> Result:
    """Run a command; errors of ours are raised, as `tidegauge` itself turns them into sentences."""
    result = await asyncio.to_thread(CliRunner().invoke, app, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
