"""The `llmitm` command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from llmitm import __version__
from llmitm.commands.common import (
    complain,
    config_option,
    console,
    read_config,
    run,
    run_until_signalled,
)
from llmitm.commands.doctor import doctor
from llmitm.commands.keys import keys
from llmitm.commands.targets import targets
from llmitm.commands.usage import usage
from llmitm.commands.users import users
from llmitm.config.load import Loaded

PORT = click.IntRange(0, 65535)


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
    from llmitm import logs

    loaded = read_config(config)
    policy = loaded.policies.logging
    logs.configure(policy.level, policy.format)
    for warning in loaded.warnings:
        complain(f"warning: {warning}", "yellow")
    fault = _serve_several(loaded) if loaded.gateway.workers > 1 else _serve_one(loaded)
    if fault is not None:
        complain(str(fault))
        sys.exit(1)


def _serve_one(loaded: Loaded) -> Exception | None:
    """Run one process; returns why it can't."""
    from llmitm import master
    from llmitm.pipeline import AddonError

    try:
        run(master.serve(loaded, os.environ))
    except (AddonError, master.StartupError) as fault:
        return fault
    return None


def _serve_several(loaded: Loaded) -> Exception | None:
    """Run workers under a supervisor, which needs little of what they do; returns why it can't."""
    from llmitm.workers import supervisor
    from llmitm.workers.slot import GaveUp

    try:
        run(supervisor.serve(loaded, os.environ))
    except GaveUp as fault:
        return fault
    return None


@main.command()
@config_option
def check(config: Path | None) -> None:
    """Read the configuration and print what it means, or every problem in it.

    \b
    Example:
      llmitm check -c config/gateway.yaml
    """
    from llmitm.config.report import check_tables

    console.print(check_tables(read_config(config)))


@main.command()
@click.option(
    "--port", type=PORT, default=4000, show_default=True, help="Where the gateway listens."
)
@click.option(
    "--admin-port", type=PORT, default=4001, show_default=True, help="Metrics and admin API."
)
@click.option(
    "--inspector-port", type=PORT, default=4002, show_default=True, help="The inspection UI."
)
@click.option("--once", is_flag=True, help="Stop after the calls instead of serving on.")
def demo(port: int, admin_port: int, inspector_port: int, once: bool) -> None:
    """See it work: a gateway, a fake provider, three calls with OpenAI's SDK. No API key needed.

    \b
    Example:
      llmitm demo --port 4400
    """
    from llmitm import demo as show
    from llmitm.master import StartupError

    try:
        run(show.run(port, admin_port, inspector_port, serve=not once, console=console))
    except StartupError as fault:
        raise click.ClickException(
            f"{fault} (choose others: --port, --admin-port, --inspector-port)"
        ) from fault


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", type=PORT, default=4010, show_default=True, help="0 takes a free one.")
@click.option("--latency", default=0.0, show_default=True, help="Seconds before the first byte.")
@click.option("--pace", type=float, help="Tokens per second of a stream; default: no limit.")
@click.option("--tokens", default=32, show_default=True, help="Length of an answer.")
@click.option("--seed", default=0, show_default=True, help="Changes every text.")
@click.option("--api-key", help="Refuse any other key.")
@click.option("--fault", help="A fault for every request; see GET /_sim/faults.")
def simulate(host: str, port: int, fault: str | None, **settings: Any) -> None:
    """Run a fake provider: OpenAI, Anthropic and Ollama APIs, deterministic, faults on demand.

    \b
    Examples:
      llmitm simulate --pace 50
      llmitm simulate --fault 429:retry-after=2
      curl -N localhost:4010/v1/chat/completions -d \\
        '{"model":"any@cut:after=5","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    """
    from llmitm.simulator import Settings, UnknownFault
    from llmitm.simulator import serve as serve_simulator

    def ready(url: str) -> None:
        console.print(f"Fake provider on {url}; Ctrl-C stops it.", highlight=False)

    try:
        run_until_signalled(serve_simulator(host, port, Settings(**settings), ready, fault))
    except (ValueError, UnknownFault, OSError) as problem:
        raise click.ClickException(str(problem)) from problem


main.add_command(keys)
main.add_command(users)
main.add_command(usage)
main.add_command(targets)
main.add_command(doctor)

if __name__ == "__main__":
    main()
