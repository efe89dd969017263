"""What a Claude model accepts, told from its name, where the Messages API differs by model.

From Anthropic's model migration guides: sampling parameters are refused from 4.7 on, `effort` is
known from 4.6 on and to Opus 4.5. A name that tells no version is taken for a recent model.
"""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = re.compile(r"claude-(?:[a-z]+-)?(\d)(?:[-.](\d{1,2})(?!\d))?")


def takes_sampling(model: str) -> bool:
    """Whether `temperature`, `top_p` and `top_k` may be set."""
    if "mythos" in model:
        return False
    version = _version(model)
    return version is None or version < (4, 7)


def takes_effort(model: str) -> bool:
    """Whether `output_config.effort` may be set."""
    version = _version(model)
    return version is None or version >= (4, 6) or "opus-4-5" in model


def _version(model: str) -> tuple[int, int] | None:
    match = _VERSION.search(model)
    return (int(match[1]), int(match[2] or 0)) if match else None
