"""Makes .env of .env.example: what has to be set gets a random value, the rest stays empty."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PREFIX = {"LLMITM_DEV_KEY": "sk-"}


def main() -> int:
    path = ROOT / ".env"
    if path.exists():
        print(f"{path.name} is there already; nothing was changed")
        return 0
    path.touch(mode=0o600)
    path.write_text(filled((ROOT / ".env.example").read_text()))
    print(f"{path.name} is written; add the keys of your providers to it")
    return 0


def filled(example: str) -> str:
    """The example with a value for each name of its required part."""
    required, mark, rest = example.partition("\n# Providers")
    lines = [_line(line) for line in required.splitlines()]
    return "\n".join(lines) + mark + rest


def _line(line: str) -> str:
    name, equals, value = line.partition("=")
    if line.startswith("#") or not equals or value:
        return line
    return f"{name}={PREFIX.get(name, '')}{secrets.token_hex(24)}"


if __name__ == "__main__":
    sys.exit(main())
