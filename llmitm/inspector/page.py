"""mitmweb's page with what this inspector needs of it changed."""

from __future__ import annotations

import logging
import re
from functools import cache
from pathlib import Path

from mitmproxy.tools.web import app

logger = logging.getLogger(__name__)

WEB = Path(app.__file__).parent
SCRIPT = r"index-[A-Za-z0-9_-]+\.js"
_STYLE = Path(__file__).with_name("page.css")
# What is changed of the page's script: a pattern that fits one place, and what stands there then.
_CHANGES = (
    # It checks filters by a grammar of its own, which lacks `~meta`; `~comment` takes the same
    # argument. The server, which does the filtering, has both.
    (
        r"(isValid\((\w+)\)\{try\{return \2&&\w+\.parse\()\2\)",
        r'\1\2.replaceAll("~meta","~comment"))',
    ),
    # It offers to end held flows only; here a call that is on its way can be ended, too.
    (r'disabled:\w+,title:"kill intercepted flow \[x\]"', 'disabled:!1,title:"end this call [x]"'),
    (r"return \w+=\w+\.filter\(\w+\),(\(\)=>[^;{}]{1,60}`/flows/\$\{\w+\.id\}/kill`)", r"return\1"),
)


def page(template: str) -> str:
    """The page with our title, and a style sheet on top of its own."""
    titled = template.replace("<title>mitmproxy</title>", "<title>llmitm inspector</title>")
    return titled.replace("</head>", '<link rel="stylesheet" href="page.css"></head>')


@cache
def style() -> bytes:
    return _STYLE.read_bytes()


@cache
def script(name: str) -> str:
    """The page's script with our changes. Raises OSError where there is none of this name."""
    source = (WEB / "static" / name).read_text(encoding="utf-8")
    for pattern, replacement in _CHANGES:
        source, count = re.subn(pattern, replacement, source)
        if count != 1:
            logger.warning(
                "this version of mitmproxy has another page: it may refuse ~meta filters, or not "
                "let you abort calls that are not held"
            )
    return source
