"""Writes what documents repeat of the code: the faults, the errors, the command line.

Each part stands between two marks, ``<!-- name: begin -->`` and ``<!-- name: end -->``. What is
around them is written by hand; tests/test_docs.py holds both to the code.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from llmitm.cli import main as command  # noqa: E402 the tree's own, wherever this is started
from llmitm.errors import SHAPES, GatewayError  # noqa: E402
from tests.support.faults_table import markdown  # noqa: E402

WIDTH = 90


def main() -> None:
    for name, made in PARTS.items():
        page = ROOT / PAGES[name]
        page.write_text(filled(page.read_text(), name, made()))


def filled(page: str, name: str, part: str) -> str:
    """The page with `part` between the marks of `name`. Raises ValueError where one is missing."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    before, first, rest = page.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"the marks of {name} are missing")
    return f"{before}{begin}{part.strip()}\n{end}{after}"


def errors_table() -> str:
    """Each cause in the words of the dialects."""
    lines = [
        "| cause | OpenAI | type · code | Anthropic | type | Ollama | `x-should-retry` |",
        "|---|---|---|---|---|---|---|",
    ]
    for cause, shape in SHAPES.items():
        error = GatewayError(cause, "")
        status = {dialect: error.status(dialect) for dialect in ("openai", "anthropic", "ollama")}
        retry = "" if shape.retry is None else f"`{str(shape.retry).lower()}`"
        code = f"`{shape.openai_code}`" if shape.openai_code else "none"
        lines.append(
            f"| `{cause}` | {status['openai']} | `{shape.openai_type}` · {code} "
            f"| {status['anthropic']} | `{shape.anthropic_type}` | {status['ollama']} | {retry} |"
        )
    return "\n".join(lines)


def cli_reference() -> str:
    """What `--help` says of every command."""
    sections = []
    for name, one in commands(command, "llmitm"):
        settings = command.context_settings
        context = click.Context(one, info_name=name, terminal_width=WIDTH, **settings)
        shown = one.get_help(context).replace("\b\n", "").rstrip()
        sections.append(f"## `{name}`\n\n```\n{shown}\n```")
    return "\n\n".join(sections)


def commands(one: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """The command and those below it, each with its whole name."""
    yield name, one
    if isinstance(one, click.Group):
        for word, below in one.commands.items():
            yield from commands(below, f"{name} {word}")


PARTS = {"faults": markdown, "errors": errors_table, "commands": cli_reference}
PAGES = {"faults": "README.md", "errors": "docs/api.md", "commands": "docs/cli.md"}

if __name__ == "__main__":
    main()
