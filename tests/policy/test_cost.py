"""Cost arithmetic: every token priced once, nothing above the worst case."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.call import Usage
from llmitm.policy.cost import Rates, Tier, UnitPrice, cost, free, nano_usd, usd, worst_case

USD = st.decimals(0, 100, places=4)
OPTIONAL = st.none() | USD
RATES = st.builds(
    Rates.per_million,
    USD,
    USD,
    cached_input=OPTIONAL,
    cache_write=OPTIONAL,
    cache_write_1h=OPTIONAL,
    input_audio=OPTIONAL,
    cached_audio=OPTIONAL,
    reasoning=OPTIONAL,
    output_audio=OPTIONAL,
)
TIERS = st.lists(st.tuples(st.integers(0, 500_000), RATES), max_size=2).map(
    lambda tiers: tuple(Tier(above, rates) for above, rates in sorted(tiers, key=lambda t: t[0]))
)
PRICES = st.builds(UnitPrice, RATES, TIERS, USD)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Consistent reports: parts within their whole; only caching and audio may overlap."""
    prompt, completion = draw(st.integers(0, 600_000)), draw(st.integers(0, 50_000))
    write = draw(st.integers(0, prompt))
    write_1h = draw(st.integers(0, prompt - write))
    read_or_fresh = prompt - write - write_1h
    reasoning = draw(st.integers(0, completion))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=draw(st.integers(0, read_or_fresh)),
        cache_write_tokens=write,
        cache_write_1h_tokens=write_1h,
        reasoning_tokens=reasoning,
        audio_prompt_tokens=draw(st.integers(0, read_or_fresh)),
        audio_completion_tokens=draw(st.integers(0, completion - reasoning)),
    )


@given(usages(), USD, USD)
def test_each_token_is_priced_once(usage: Usage, usd_in: Decimal, usd_out: Decimal) -> None:
    """Where all kinds cost the same, the kinds don't matter: nothing is counted twice."""
    price = UnitPrice(Rates.per_million(usd_in, usd_out))
    expected = usd_in * usage.prompt_tokens + usd_out * usage.completion_tokens
    assert cost(usage, price) * 1_000_000 == expected


@given(usages(), PRICES, st.integers(0, 1000), st.integers(0, 1000))
def test_never_above_the_worst_case(
    usage: Usage, price: UnitPrice, more_in: int, more_out: int
) -> None:
    """What was reserved for at least as many tokens covers what the call cost."""
    reserved = worst_case(
        price,
        usage.prompt_tokens + more_in,
        usage.completion_tokens + more_out,
        cache_write=bool(usage.cache_write_tokens or usage.cache_write_1h_tokens),
        audio=bool(usage.audio_prompt_tokens or usage.audio_completion_tokens),
    )
    assert cost(usage, price) <= reserved


PRICE = UnitPrice(
    Rates.per_million(
        Decimal(3),
        Decimal(15),
        cached_input=Decimal("0.3"),
        cache_write=Decimal("3.75"),
        cache_write_1h=Decimal(6),
        input_audio=Decimal(30),
        cached_audio=Decimal(2),
        reasoning=Decimal(20),
        output_audio=Decimal(60),
    ),
    (Tier(200_000, Rates.per_million(Decimal(6), Decimal("22.5"))),),
    Decimal("0.01"),
)


@pytest.mark.parametrize(
    ("usage", "micro_usd"),
    [
        (Usage(), 0),
        (Usage(10, 10), 30 + 150),
        (Usage(10, cached_tokens=10), 3),
        (Usage(10, cache_write_tokens=4, cache_write_1h_tokens=6), 15 + 36),
        (Usage(0, 10, reasoning_tokens=4), 90 + 80),
        (Usage(10, 10, audio_prompt_tokens=10, audio_completion_tokens=10), 300 + 600),
        (Usage(10, cached_tokens=5, audio_prompt_tokens=5), Decimal("1.5") + 150),
        # 5 of text and 5 of audio, of which 8 were cached: the text and 3 of the audio.
        (Usage(10, cached_tokens=8, audio_prompt_tokens=5), Decimal("1.5") + 6 + 60),
        # A report whose parts exceed the whole: the parts are what there is.
        (Usage(1, 1, cache_write_tokens=4, reasoning_tokens=2), 15 + 40),
        (Usage(200_000), 600_000),
        (Usage(200_001), 1_200_006),
    ],
)
def test_cost(usage: Usage, micro_usd: int | Decimal) -> None:
    """Each kind of token at its rate, the rates of the tier that the prompt reaches."""
    assert (cost(usage, PRICE) - PRICE.per_request) * 1_000_000 == micro_usd


@pytest.mark.parametrize(
    ("prompt", "flags", "usd_in", "usd_out"),
    [
        (10, {}, 30, 60),
        (10, {"audio": False}, 6, 20),
        (10, {"audio": False, "cache_write": False}, 3, 20),
        (200_001, {"audio": False, "cache_write": False}, 6, Decimal("22.5")),
    ],
)
def test_worst_case(
    prompt: int, flags: dict[str, bool], usd_in: int, usd_out: int | Decimal
) -> None:
    """Every token of the dearest kind that the call can have, in the dearest tier it reaches."""
    amount = worst_case(PRICE, prompt, 10, **flags) - PRICE.per_request
    assert amount * 1_000_000 == usd_in * prompt + usd_out * 10


def test_free() -> None:
    """A free price is told from one that merely starts at zero."""
    assert free("here").is_free
    assert cost(Usage(10**9, 10**9), free("here")) == 0
    assert not PRICE.is_free
    assert not UnitPrice(free("").base, (Tier(5, PRICE.base),)).is_free
    assert not UnitPrice(free("").base, per_request=Decimal(1)).is_free


@pytest.mark.parametrize(
    ("usd", "nano"),
    [("0", 0), ("1", 10**9), ("0.000000001", 1), ("0.0000000011", 2), ("-1.5", -1_500_000_000)],
)
def test_nano_usd(usd: str, nano: int) -> None:
    """Billionths of a dollar, rounded up."""
    assert nano_usd(Decimal(usd)) == nano


@pytest.mark.parametrize(
    ("nano", "text"), [(0, "0"), (1, "0.000000001"), (10**10, "10"), (1_250_000_000, "1.25")]
)
def test_usd(nano: int, text: str) -> None:
    """Dollars as they are read, without trailing zeros."""
    assert f"{usd(nano):f}" == text


def test_policy_is_pure() -> None:
    """The module loads neither the proxy nor an HTTP library."""
    code = "import sys, llmitm.policy.cost; print({'mitmproxy', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
