"""Token counts: by tiktoken where a number is reported, bounded by bytes where one is reserved.

Nothing here touches the network. `upper_estimate` is arithmetic; everything else loads tiktoken,
so `preload()` at start keeps the half second that takes away from the first call.
"""

from llmitm.tokens.count import count_async, count_text
from llmitm.tokens.encodings import encoding_for, preload
from llmitm.tokens.estimate import TEMPLATE, upper_estimate
from llmitm.tokens.images import image_ceiling, image_size, image_tokens
from llmitm.tokens.messages import (
    count_messages,
    count_messages_async,
    prompt_tokens,
    prompt_tokens_async,
)
from llmitm.tokens.ranks import RanksError
from llmitm.tokens.tools import count_tools

__all__ = [
    "TEMPLATE",
    "RanksError",
    "count_async",
    "count_messages",
    "count_messages_async",
    "count_text",
    "count_tools",
    "encoding_for",
    "image_ceiling",
    "image_size",
    "image_tokens",
    "preload",
    "prompt_tokens",
    "prompt_tokens_async",
    "upper_estimate",
]
