"""What a call costs: pure arithmetic on a unit price, exact, in USD."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmitm.call import Usage

ZERO = Decimal(0)
NANO = Decimal(1_000_000_000)
_WHOLE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Rates:
    """USD per token of each kind. `cache_write` is for five minutes, as Anthropic sells it."""

    input: Decimal
    cached_input: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal
    input_audio: Decimal
    cached_audio: Decimal
    output: Decimal
    reasoning: Decimal
    output_audio: Decimal

    @classmethod
    def per_million(
        cls,
        usd_in: Decimal,
        usd_out: Decimal,
        *,
        cached_input: Decimal | None = None,
        cache_write: Decimal | None = None,
        cache_write_1h: Decimal | None = None,
        input_audio: Decimal | None = None,
        cached_audio: Decimal | None = None,
        reasoning: Decimal | None = None,
        output_audio: Decimal | None = None,
    ) -> Rates:
        """Rates from USD per million tokens. A kind without a rate costs what it is a kind of."""
        cached = _or(cached_input, usd_in)
        write = _or(cache_write, usd_in)
        return cls(
            input=usd_in.scaleb(-6),
            cached_input=cached.scaleb(-6),
            cache_write=write.scaleb(-6),
            cache_write_1h=_or(cache_write_1h, write).scaleb(-6),
            input_audio=_or(input_audio, usd_in).scaleb(-6),
            cached_audio=_or(cached_audio, cached).scaleb(-6),
            output=usd_out.scaleb(-6),
            reasoning=_or(reasoning, usd_out).scaleb(-6),
            output_audio=_or(output_audio, usd_out).scaleb(-6),
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of a whole call whose prompt has more than `above` tokens."""

    above: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """A model's price. `tiers` ascend, `per_request` is USD, `source` says where it is from."""

    base: Rates
    tiers: tuple[Tier, ...] = ()
    per_request: Decimal = ZERO
    source: str = ""

    def rates(self, prompt_tokens: int) -> Rates:
        """The rates for a prompt of this length; crossing a tier reprices all of the call."""
        chosen = self.base
        for tier in self.tiers:
            if prompt_tokens > tier.above:
                chosen = tier.rates
        return chosen

    @property
    def is_free(self) -> bool:
        """Whether every call costs nothing."""
        known = (self.base, *(tier.rates for tier in self.tiers))
        amounts = (getattr(rates, field.name) for rates in known for field in fields(Rates))
        return not self.per_request and not any(amounts)


def free(source: str) -> UnitPrice:
    """The price of what costs nothing."""
    return UnitPrice(Rates.per_million(ZERO, ZERO), source=source)


def cost(usage: Usage, price: UnitPrice) -> Decimal:
    """USD for `usage`, unrounded, each token priced once.

    The cached, cache-write and audio parts are taken off the prompt before the rest is priced,
    the reasoning and audio parts off the completion.
    """
    rates = price.rates(usage.prompt_tokens)
    return _input_cost(usage, rates) + _output_cost(usage, rates) + price.per_request


def _input_cost(usage: Usage, rates: Rates) -> Decimal:
    cached, audio = usage.cached_tokens, usage.audio_prompt_tokens
    write, write_1h = usage.cache_write_tokens, usage.cache_write_1h_tokens
    plain = usage.prompt_tokens - cached - write - write_1h - audio
    total = ZERO
    if plain < 0:
        # Text is taken to be cached first; what doesn't fit in it was cached audio.
        both = min(-plain, cached, audio)
        cached, audio, plain = cached - both, audio - both, 0
        total = rates.cached_audio * both
    total += rates.input * plain
    if cached:
        total += rates.cached_input * cached
    if write:
        total += rates.cache_write * write
    if write_1h:
        total += rates.cache_write_1h * write_1h
    if audio:
        total += rates.input_audio * audio
    return total


def _output_cost(usage: Usage, rates: Rates) -> Decimal:
    reasoning, audio = usage.reasoning_tokens, usage.audio_completion_tokens
    total = rates.output * max(0, usage.completion_tokens - reasoning - audio)
    if reasoning:
        total += rates.reasoning * reasoning
    if audio:
        total += rates.output_audio * audio
    return total


def worst_case(
    price: UnitPrice,
    prompt_tokens: int,
    max_output_tokens: int,
    *,
    cache_write: bool = True,
    audio: bool = True,
) -> Decimal:
    """The most USD that a call can cost whose prompt and output have at most so many tokens.

    Without knowing better, every token may be of the dearest kind. `cache_write=False` says that
    the call asks for no cache (no ``cache_control``), `audio=False` that it has none in or out.
    """
    reachable = [price.base]
    reachable += [tier.rates for tier in price.tiers if prompt_tokens > tier.above]
    dearest_in = max(max(_input_rates(rates, cache_write, audio)) for rates in reachable)
    dearest_out = max(max(_output_rates(rates, audio)) for rates in reachable)
    return dearest_in * prompt_tokens + dearest_out * max_output_tokens + price.per_request


def nano_usd(amount: Decimal) -> int:
    """`amount` USD in billionths, rounded up: the integers that budgets are kept in."""
    return int((amount * NANO).quantize(_WHOLE, ROUND_CEILING))


def usd(nano: int) -> Decimal:
    """Billionths of a dollar as dollars, without trailing zeros."""
    amount = (Decimal(nano) / NANO).normalize()
    return amount.quantize(_WHOLE) if amount == amount.to_integral_value() else amount


def _input_rates(rates: Rates, cache_write: bool, audio: bool) -> Iterator[Decimal]:
    yield rates.input
    yield rates.cached_input
    if cache_write:
        yield rates.cache_write
        yield rates.cache_write_1h
    if audio:
        yield rates.input_audio
        yield rates.cached_audio


def _output_rates(rates: Rates, audio: bool) -> Iterator[Decimal]:
    yield rates.output
    yield rates.reasoning
    if audio:
        yield rates.output_audio


def _or(value: Decimal | None, default: Decimal) -> Decimal:
    return default if value is None else value
