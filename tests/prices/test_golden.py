"""What calls cost, worked out by hand from the providers' price pages.

`rates` are USD per million tokens as the page has them; the expected cost is in USD.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as GenaiUsage
from genai_prices import calc_price
from genai_prices.data import providers

from llmitm.call import Usage
from llmitm.policy.cost import cost
from llmitm.prices import PriceBook

OPENAI = "https://platform.openai.com/docs/pricing"
ANTHROPIC = "https://www.anthropic.com/pricing#api"
GOOGLE = "https://ai.google.dev/gemini-api/docs/pricing"
PERPLEXITY = "https://docs.perplexity.ai/docs/getting-started/pricing"
DEEPSEEK = "https://api-docs.deepseek.com/quick_start/pricing"
GROQ = "https://console.groq.com/docs/models"
MISTRAL = "https://mistral.ai/pricing/api"
XAI = "https://docs.x.ai/docs/models"
PROVIDERS = {
    OPENAI: "openai",
    ANTHROPIC: "anthropic",
    GOOGLE: "google",
    PERPLEXITY: "perplexity",
    DEEPSEEK: "deepseek",
    GROQ: "groq",
    MISTRAL: "mistral",
    XAI: "x-ai",
}

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CACHED = Usage(10_000, 1_000, cached_tokens=4_000)
WRITE_5M = Usage(10_000, 1_000, cached_tokens=5_000, cache_write_tokens=2_000)
WRITE_1H = Usage(10_000, 1_000, cache_write_1h_tokens=2_000)
WRITE_BOTH = Usage(
    10_000, 200, cached_tokens=3_000, cache_write_tokens=1_000, cache_write_1h_tokens=1_000
)
SPEECH = Usage(1_000, 500, audio_prompt_tokens=600, audio_completion_tokens=400)

GOLDEN = [
    # cached input
    (OPENAI, "gpt-4o", "2.50 in, 1.25 cached, 10 out", CACHED, "0.0300"),
    (OPENAI, "gpt-5", "1.25 in, 0.125 cached, 10 out", CACHED, "0.0180"),
    (ANTHROPIC, "claude-sonnet-4-5", "3 in, 0.30 cached, 15 out", CACHED, "0.0342"),
    (GOOGLE, "gemini-2.5-pro", "1.25 in, 0.125 cached, 10 out", CACHED, "0.0180"),
    (OPENAI, "gpt-4.1", "2 in, 0.50 cached, 8 out", CACHED, "0.0220"),
    (GROQ, "llama-3.3-70b-versatile", "0.59 in, cached as in, 0.79 out", CACHED, "0.00669"),
    # plain
    (OPENAI, "gpt-4o-mini", "0.15 in, 0.60 out", Usage(1_000, 500), "0.00045"),
    (OPENAI, "text-embedding-3-small", "0.02 in", Usage(8_000), "0.00016"),
    (MISTRAL, "mistral-large-latest", "2 in, 6 out", Usage(1_000, 1_000), "0.008"),
    # cache writes
    (ANTHROPIC, "claude-sonnet-4-5", "3 in, 3.75 write 5m, 0.30 cached", WRITE_5M, "0.0330"),
    (ANTHROPIC, "claude-sonnet-4-5", "3 in, 6 write 1h, 15 out", WRITE_1H, "0.0510"),
    (ANTHROPIC, "claude-sonnet-4-5", "3.75 write 5m, 6 write 1h", WRITE_BOTH, "0.02865"),
    (ANTHROPIC, "claude-haiku-4-5", "1.25 write 5m, 5 out",
     Usage(4_000, 100, cache_write_tokens=4_000), "0.0055"),
    (ANTHROPIC, "claude-opus-4-5", "10 write 1h, 25 out",
     Usage(4_000, 100, cache_write_1h_tokens=4_000), "0.0425"),
    (ANTHROPIC, "claude-3-5-haiku-latest", "0.80 in, 1 write 5m, 4 out",
     Usage(2_000, 500, cache_write_tokens=1_000), "0.0038"),
    # reasoning
    (OPENAI, "o3", "2 in, 8 out, reasoning as out",
     Usage(2_000, 5_000, reasoning_tokens=4_000), "0.044"),
    (OPENAI, "o4-mini", "1.10 in, 0.275 cached, 4.40 out",
     Usage(2_000, 1_000, cached_tokens=1_000, reasoning_tokens=900), "0.005775"),
    (XAI, "grok-4", "3 in, 15 out, reasoning as out",
     Usage(1_000, 1_000, reasoning_tokens=800), "0.018"),
    (PERPLEXITY, "sonar-deep-research", "2 in, 8 out, 3 reasoning",
     Usage(1_000, 3_000, reasoning_tokens=2_000), "0.016"),
    # audio
    (OPENAI, "gpt-realtime", "4 in, 32 audio in, 16 out, 64 audio out", SPEECH, "0.048"),
    (OPENAI, "gpt-audio", "2.50 in, 32 audio in, 10 out, 64 audio out", SPEECH, "0.0468"),
    (OPENAI, "gpt-realtime", "32 audio in, 0.40 cached, text or audio",
     Usage(1_000, 0, cached_tokens=500, audio_prompt_tokens=800), "0.0162"),
    (GOOGLE, "gemini-2.5-flash", "0.30 in, 1 audio in, 2.50 out",
     Usage(5_000, 100, audio_prompt_tokens=4_000), "0.00455"),
    # tiers: the whole call at the higher rate once the prompt is longer
    (ANTHROPIC, "claude-sonnet-4-5", "3 in, 15 out up to 200k", Usage(200_000, 1_000), "0.615"),
    (ANTHROPIC, "claude-sonnet-4-5", "6 in, 22.50 out above", Usage(200_001, 1_000), "1.222506"),
    (ANTHROPIC, "claude-sonnet-4-5", "6 in, 0.60 cached, 22.50 out above",
     Usage(250_000, 1_000, cached_tokens=200_000), "0.4425"),
    (GOOGLE, "gemini-2.5-pro", "2.50 in, 15 out above 200k", Usage(300_000, 1_000), "0.765"),
    (OPENAI, "gpt-5.4", "5 in, 22.50 out above 272k", Usage(300_000, 1_000), "1.5225"),
    # per request
    (PERPLEXITY, "sonar-pro", "3 in, 15 out, 14 per 1,000 requests", Usage(1_000, 100), "0.0185"),
    # listed without a rate
    (OPENAI, "omni-moderation-latest", "free", Usage(1_000), "0"),
]  # fmt: skip


@pytest.mark.parametrize(("page", "model", "rates", "usage", "usd"), GOLDEN)
def test_golden(page: str, model: str, rates: str, usage: Usage, usd: str) -> None:
    """A call costs what the provider's price page says, to the last digit."""
    price = PriceBook().unit_price(PROVIDERS[page], model, now=NOON.timestamp())
    assert price is not None
    assert cost(usage, price) == Decimal(usd), rates


@pytest.mark.parametrize(("page", "model", "rates", "usage", "usd"), GOLDEN)
def test_golden_equals_genai_prices(
    page: str, model: str, rates: str, usage: Usage, usd: str
) -> None:
    """The price library comes to the same cost."""
    overlap = usage.prompt_tokens - usage.cached_tokens - usage.audio_prompt_tokens
    reported = GenaiUsage(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        input_audio_tokens=usage.audio_prompt_tokens,
        cache_audio_read_tokens=max(0, -overlap),
        output_audio_tokens=usage.audio_completion_tokens,
        output_reasoning_tokens=usage.reasoning_tokens,
    )
    calculated = calc_price(
        reported, model, provider_id=PROVIDERS[page], genai_request_timestamp=NOON
    )
    assert calculated.total_price == Decimal(usd)


@pytest.mark.parametrize("page", sorted(PROVIDERS))
def test_golden_sources(page: str) -> None:
    """The page named for each case is the one the price library was filled from."""
    listed = next(known for known in providers if known.id == PROVIDERS[page])
    assert page in (listed.pricing_urls or [])
