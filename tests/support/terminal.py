"""Commands as a user runs them, in this process."""

from __future__ import annotations

from click.testing import CliRunner, Result

from llmitm.cli import main


def run(*arguments: object, code: int = 0) -> Result:
    """The outcome of `llmitm` with these arguments, which must end with `code`."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result
