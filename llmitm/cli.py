"""The `llmitm` command."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console

from llmitm import __version__, logs
from llmitm.config.load import Loaded, load
from llmitm.config.problems import ConfigErrors

USUAL_CONFIG = Path("config/gateway.yaml")
console = Console()
errors = Console(stderr=True)


def config_option(command: Any) -> Any:
    return click.option(
        "-c",
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="gateway.yaml; without it ./config/gateway.yaml, else built-in defaults.",
    )(command)


def read_config(path: Path | None) -> Loaded:
    """The configuration; prints every problem and exits with 2 where there is any."""
    if path is None and USUAL_CONFIG.is_file():
        path = USUAL_CONFIG
    try:
        return load(path, os.environ)
    except ConfigErrors as faults:
        for problem in faults.problems:
            errors.print(str(problem), style="red", highlight=False, markup=False, soft_wrap=True)
        number = len(faults.problems)
        errors.print(f"{number} problem{'s' if number != 1 else ''}; nothing was started.")
        sys.exit(2)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return uvloop.run(work)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llmitm")
def main() -> None:
    """A gateway for LLM APIs: one base_url in front of every provider.

    \b
    Examples:
      llmitm demo                          see it work, no API key needed
      llmitm serve                         providers from OPENAI_API_KEY, OLLAMA_HOST …
      llmitm serve -c config/gateway.yaml
      llmitm check -c config/gateway.yaml  every problem at once, with file and line
    """


@main.command()
@config_option
def serve(config: Path | None) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    \b
    Examples:
      llmitm serve
      llmitm serve -c /etc/llmitm/gateway.yaml
    """
    from llmitm import master
    from llmitm.pipeline import AddonError

    loaded = read_config(config)
    policy = loaded.policies.logging
    logs.configure(policy.level, policy.format)
    for warning in loaded.warnings:
        errors.print(f"warning: {warning}", style="yellow", highlight=False, markup=False)
    try:
        run(master.serve(loaded, os.environ))
    except (AddonError, master.StartupError) as fault:
        errors.print(str(fault), style="red", highlight=False, markup=False)
        sys.exit(1)


@main.command()
@config_option
def check(config: Path | None) -> None:
    """Read the configuration and print what it means, or every problem in it.

    \b
    Example:
      llmitm check -c config/gateway.yaml
    """
    from llmitm.config.report import check_report

    console.print(check_report(read_config(config)))


if __name__ == "__main__":
    main()
