"""`${NAME}` and `${NAME:-default}` in configuration values; `$${` stands for a plain `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmitm.config.problems import Fault
from llmitm.config.values import Text

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\})?")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def expand(text: str, env: Mapping[str, str]) -> str:
    """The text with its references replaced; a `Text` where there was one.

    As in a shell, the default also stands for an empty variable.
    Raises `Fault` for a variable that is not set and for what is no reference.
    """
    if "${" not in text:
        return text
    refers = False

    def replace(match: re.Match[str]) -> str:
        nonlocal refers
        if match[0] == "$${":
            return "${"
        refers = True
        return _look_up(match, env)

    expanded = _REFERENCE.sub(replace, text)
    return Text.of(expanded, text) if refers else expanded


def _look_up(match: re.Match[str], env: Mapping[str, str]) -> str:
    inside = _INSIDE.fullmatch(match[1])
    if inside is None or match[2] is None:
        raise Fault(
            f"{match[0]!r} is no reference",
            "write ${NAME}, ${NAME:-default}, or $${ for a plain ${",
        )
    name, default = inside[1], inside[2]
    value = env.get(name)
    if value or (value is not None and default is None):
        return value
    if default is None:
        raise Fault(
            f"the environment variable {name} is not set",
            f"set it, or give a default with ${{{name}:-…}}",
        )
    return str(default)
