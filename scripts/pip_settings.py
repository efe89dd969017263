"""pip's settings in the words of uv, which reads neither pip.conf nor PIP_* variables."""

from __future__ import annotations

import ast
import os
import subprocess

# pip's option -> uv's variable, and what joins several values there.
WORDS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
}
SECTIONS = ("global.", "install.", ":env:.")  # the later one wins, as in pip


def pip_settings(python: str) -> dict[str, str]:
    """What `pip install` of the interpreter `python` would use, from every file and variable."""
    command = [python, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return parse(done.stdout)


def parse(listing: str) -> dict[str, str]:
    """The options in the lines of `pip config list`: ``section.option='value'``."""
    found: dict[str, str] = {}
    for section in SECTIONS:
        for line in listing.splitlines():
            name, equals, value = line.partition("=")
            if equals and name.startswith(section):
                option = name.removeprefix(section).removeprefix("default-")
                found[option] = str(ast.literal_eval(value))
    return found


def uv_settings(options: dict[str, str]) -> dict[str, str]:
    """The variables that make uv follow `options`; one that is set already stays as it is."""
    env = {
        variable: joint.join(options[option].split())
        for option, (variable, joint) in WORDS.items()
        if options.get(option)
    }
    # pip looks for the best version in all indexes; uv would stop at the first with the name.
    env["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in env.items() if name not in os.environ}
