"""Finding a model's price: overrides, names, addresses, time."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from llmitm.call import Usage
from llmitm.policy.cost import cost
from llmitm.prices import PriceBook, book, catalog

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


def entry(provider: str, model: str, **usd: Any) -> SimpleNamespace:
    return SimpleNamespace(
        provider=provider,
        model=model,
        **{f"{name}_per_million": value for name, value in usd.items()},
    )


def million(prices: PriceBook, provider: str, model: str, **where: Any) -> Decimal | None:
    """USD for a million input tokens, told apart by it."""
    price = prices.unit_price(provider, model, now=NOON, **where)
    return None if price is None else price.base.input * 1_000_000


@pytest.mark.parametrize(
    ("provider", "model", "where", "usd"),
    [
        ("openai", "gpt-4o", {}, "2.5"),
        ("openai", "gpt-4o-2024-11-20", {}, "2.5"),
        ("anthropic", "claude-sonnet-4-5-20250929", {}, "3"),
        ("gemini", "gemini-2.5-flash", {}, "0.3"),
        ("gemini", "models/gemini-2.5-flash", {}, "0.3"),
        ("groq", "llama-3.3-70b-versatile", {"api": "openai"}, "0.59"),
        ("fast", "llama-3.3-70b-versatile", {"api": "openai", "host": "api.groq.com"}, "0.59"),
        (
            "fast",
            "llama-3.3-70b-versatile",
            {"api": "openai", "host": "https://api.groq.com/openai/v1"},
            "0.59",
        ),
        ("proxy", "gpt-4o", {"api": "openai", "host": "127.0.0.1:8080"}, "2.5"),
        ("proxy", "claude-haiku-4-5", {"api": "anthropic"}, "1"),
        ("proxy", "gemini-2.5-flash", {"api": "gemini"}, "0.3"),
        ("azure", "gpt-4o", {"host": "x.openai.azure.com"}, "2.5"),
        ("local", "llama3.2", {"api": "ollama"}, "0"),
        ("openai", "gpt-4o", {"api": "simulator"}, "0"),
        ("openrouter", "deepseek/deepseek-r1:free", {}, "0"),
        ("openai", "gpt-99", {"api": "openai"}, None),
        ("openai", "whisper-1", {"api": "openai"}, None),
        ("nobody", "gpt-4o", {}, None),
        ("nobody", "gpt-4o", {"host": "example.com"}, None),
    ],
)
def test_where_a_price_is_found(
    provider: str, model: str, where: dict[str, str], usd: str | None
) -> None:
    """By the provider's name, then its address, then its API kind; local ones are free."""
    assert million(PriceBook(), provider, model, **where) == (usd and Decimal(usd))


def test_api_and_address_come_from_the_configuration() -> None:
    """A configured provider needs only its name."""
    fast = SimpleNamespace(api="openai", base_url="https://api.groq.com/openai/v1")
    local = SimpleNamespace(api="ollama", base_url="http://127.0.0.1:11434")
    prices = PriceBook(providers={"fast": fast, "local": local})
    assert million(prices, "fast", "llama-3.3-70b-versatile") == Decimal("0.59")
    assert million(prices, "local", "anything") == 0


OVERRIDES = [
    entry("openai", "my-finetune", input=3, cached_input=1.5, output=12),
    entry("openai", "gpt-4o", input="0.1", output=0.2),
    entry("local", "big-*", input=5, output=6),
    entry("local", "*", input=0, output=0),
    entry("*", "shared", input=7, output=7),
]


@pytest.mark.parametrize(
    ("provider", "model", "usd"),
    [
        ("openai", "my-finetune", "3"),
        ("openai", "gpt-4o", "0.1"),
        ("openai", "gpt-4o-mini", "0.15"),
        ("local", "big-model", "5"),
        ("local", "llama3.2", "0"),
        ("anything", "shared", "7"),
    ],
)
def test_overrides_win(provider: str, model: str, usd: str) -> None:
    """The first entry of prices.yaml that matches is the price; others come from the list."""
    assert million(PriceBook(OVERRIDES), provider, model) == Decimal(usd)


def test_override_of_a_free_provider() -> None:
    """What runs locally may be given a price."""
    assert million(PriceBook(OVERRIDES), "local", "big-model", api="ollama") == 5


def test_override_with_every_rate() -> None:
    """Each kind of token costs what its field says."""
    full = entry(
        "p",
        "m",
        input=1,
        cached_input=2,
        cache_write=3,
        cache_write_1h=4,
        output=5,
        reasoning=6,
        input_audio=7,
        output_audio=8,
    )
    price = PriceBook([full]).unit_price("p", "m")
    assert price is not None
    usage = Usage(50, 30, 10, 10, 10, 10, 10, 10)
    assert cost(usage, price) * 1_000_000 == 10 * (1 + 2 + 3 + 4 + 7) + 10 * (5 + 6 + 8)


def test_override_with_input_and_output_only() -> None:
    """A rate that is not given is that of what the tokens are a kind of."""
    price = PriceBook([entry("p", "m", input=2, output=4, cache_write=3)]).unit_price("p", "m")
    assert price is not None
    usage = Usage(50, 30, 10, 10, 10, 10, 10, 10)
    assert cost(usage, price) * 1_000_000 == 2 * 30 + 3 * 20 + 4 * 30


def test_override_price_is_exact() -> None:
    """A float of the YAML is the decimal that was written."""
    assert million(PriceBook([entry("p", "m", input=0.1, output=0)]), "p", "m") == Decimal("0.1")


@pytest.mark.parametrize(
    ("hour", "usd"), [(0, "0.135"), (1, "0.27"), (16, "0.27"), (17, "0.135"), (23, "0.135")]
)
def test_price_by_the_hour(hour: int, usd: str) -> None:
    """DeepSeek's off-peak price holds from 16:30 to 00:30 UTC, on the same book."""
    prices = PriceBook()
    for at in (12, hour):
        now = datetime(2026, 11, 21, at, tzinfo=UTC).timestamp()
        price = prices.unit_price("deepseek", "deepseek-chat", now=now)
    assert price is not None
    assert price.base.input * 1_000_000 == Decimal(usd)


@pytest.mark.parametrize(("day", "usd"), [(12, "10"), (13, "5")])
def test_price_by_the_date(day: int, usd: str) -> None:
    """A price that was cut on a day holds from that day on."""
    now = datetime(2026, 3, day, 12, tzinfo=UTC).timestamp()
    price = PriceBook().unit_price("anthropic", "claude-opus-4-6", now=now)
    assert price is not None
    assert price.rates(300_000).input * 1_000_000 == Decimal(usd)


@pytest.mark.parametrize(
    ("tier", "usd"), [("flex", "0.625"), ("default", "1.25"), ("priority", "2.5"), ("x", "1.25")]
)
def test_price_by_service_tier(tier: str, usd: str) -> None:
    """The tier that a request asked for changes the price where the provider sells it."""
    variant = (("service_tier", tier),)
    assert million(PriceBook(), "openai", "gpt-5", variant=variant) == Decimal(usd)


def test_looks_up_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list is searched once per model and minute, for unknown models too."""
    searches: list[str] = []
    find = catalog.find

    def spy(provider: str, model: str, api: str | None, url: str | None) -> Any:
        searches.append(model)
        return find(provider, model, api, url)

    monkeypatch.setattr(catalog, "find", spy)
    prices = PriceBook()
    for seconds in (0, 1, 59, 60):
        for model in ("gpt-4o", "gpt-99"):
            prices.unit_price("openai", model, now=NOON + seconds)
    assert searches == ["gpt-4o", "gpt-99"] * 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that clients make up don't fill the memory."""
    monkeypatch.setattr(book, "MAX_REMEMBERED", 10)
    prices = PriceBook([entry("*", "*", input=1, output=1)])
    for number in range(100):
        prices.unit_price("p", f"model-{number}", now=NOON)
    prices.unit_price("p", "m" * 100_000, now=NOON)
    assert 0 < len(prices._known) <= 10
    assert all(len(model) < 100 for _, model, *_ in prices._known)


def test_source_is_named() -> None:
    """A price says where it is from."""
    prices = PriceBook(OVERRIDES)
    sources = [
        prices.unit_price(provider, model, api)
        for provider, model, api in (
            ("openai", "gpt-4o", None),
            ("openai", "gpt-4o-mini", None),
            ("home", "llama", "ollama"),
        )
    ]
    assert [price and price.source.split(":")[0] for price in sources] == [
        "policies/prices.yaml",
        "genai-prices",
        "ollama",
    ]
