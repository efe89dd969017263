"""Cost and usage: who spends what, on which models, and how much of the budgets is left."""

from __future__ import annotations

from boards.panel import RATE, Board, Choice, Panel, Query, one, quantile_by

KEY = '{key=~"$key"}'
COST = f"llmitm_cost_usd_total{KEY}"
TOKENS = "llmitm_tokens_total"


def spent_by(owner: str) -> str:
    """USD per hour by the user or team that keys belong to."""
    info = "topk by (key) (1, llmitm_key_info)"
    rate = f"sum by (key) (rate({COST}[{RATE}]))"
    return f"sum by ({owner}) ({rate} * on (key) group_left ({owner}) {info}) * 3600"


def total(metric: str) -> str:
    return f"sum(increase({metric}[$__range]))"


def usage(direction: str) -> Panel:
    metric = f"gen_ai_client_inference_usage_{direction}_tokens"
    queries = quantile_by(metric, "", 0.95, "gen_ai_request_model")
    return Panel(f"{direction.capitalize()} tokens per call: P95", "lines", "short", queries)


NUMBERS = (
    Panel("Cost", "stat", "currencyUSD", one(total(COST)), 4, "In the time shown."),
    Panel(
        "Calls",
        "stat",
        "short",
        one(total(f"llmitm_requests_total{KEY}")),
        4,
        "In the time shown.",
    ),
    Panel(
        "Input tokens",
        "stat",
        "short",
        one(total(f'{TOKENS}{{direction="input"}}')),
        4,
        "In the time shown, by every key.",
    ),
    Panel(
        "Output tokens",
        "stat",
        "short",
        one(total(f'{TOKENS}{{direction="output"}}')),
        4,
        "In the time shown, by every key.",
    ),
    Panel(
        "Input from the provider's cache",
        "stat",
        "percentunit",
        one(
            f'(sum(increase({TOKENS}{{direction="cached"}}[$__range])) or vector(0)) / '
            f'sum(increase({TOKENS}{{direction="input"}}[$__range]))'
        ),
        4,
    ),
    Panel(
        "Cost per 1,000 calls",
        "stat",
        "currencyUSD",
        one(f"{total(COST)} / {total(f'llmitm_requests_total{KEY}')} * 1000"),
        4,
    ),
)

SPENDING = (
    Panel(
        "USD per hour by target",
        "stack",
        "currencyUSD",
        one(f"sum by (target) (rate({COST}[{RATE}])) * 3600", "{{target}}"),
        12,
    ),
    Panel(
        "USD per hour by key",
        "stack",
        "currencyUSD",
        one(f"topk(10, sum by (key) (rate({COST}[{RATE}])) * 3600)", "{{key}}"),
        12,
        "The ten that spend most.",
    ),
    Panel("USD per hour by user", "stack", "currencyUSD", one(spent_by("user"), "{{user}}"), 12),
    Panel("USD per hour by team", "stack", "currencyUSD", one(spent_by("team"), "{{team}}"), 12),
    Panel(
        "Left of the budgets",
        "bars",
        "percentunit",
        one(
            "min by (scope, id, per) (llmitm_budget_remaining_usd) "
            "/ max by (scope, id, per) (llmitm_budget_limit_usd)",
            "{{scope}} {{id}} per {{per}}",
        ),
        12,
    ),
    Panel(
        "Left of the budgets in USD",
        "lines",
        "currencyUSD",
        one(
            "min by (scope, id, per) (llmitm_budget_remaining_usd)", "{{scope}} {{id}} per {{per}}"
        ),
        12,
    ),
)

USAGE = (
    Panel(
        "Requests per second by key",
        "stack",
        "reqps",
        one(f"topk(10, sum by (key) (rate(llmitm_requests_total{KEY}[{RATE}])))", "{{key}}"),
        about="The ten that ask most.",
    ),
    Panel(
        "Tokens per second by target",
        "stack",
        "short",
        (
            Query(
                f'sum by (target) (rate({TOKENS}{{direction=~"input|output"}}[{RATE}]))',
                "{{target}}",
            ),
        ),
    ),
    Panel(
        "Calls refused by limits",
        "stack",
        "reqps",
        one(
            f"sum by (scope, kind) (rate(llmitm_rate_limited_total[{RATE}]))", "{{scope}} {{kind}}"
        ),
        about="By the limit's scope (key, user, team, …) and kind (requests, tokens, concurrent).",
    ),
    usage("input"),
    usage("output"),
    Panel(
        "Tokens per second of one stream: P50",
        "lines",
        "short",
        quantile_by("llmitm_tokens_per_second", "", 0.5, "target"),
        about="After the first token.",
    ),
    Panel(
        "Calls on routes with a cache",
        "stack",
        "reqps",
        one(f"sum by (result) (rate(llmitm_cache_total[{RATE}]))", "{{result}}"),
        24,
        "A hit is answered without a provider, for 0 USD.",
    ),
    Panel(
        "Dearest calls",
        "logs",
        "short",
        one(
            '{job="llmitm", event="call"} |= `$request_id` | json | cost_usd > 0.001 '
            "| line_format `{{.cost_usd}} USD {{.key}} {{.user}} {{.model}} → {{.target}} "
            "{{.prompt_tokens}} + {{.completion_tokens}} tokens {{.request_id}}`"
        ),
        24,
        "Calls of more than a tenth of a cent.",
    ),
)

BOARD = Board(
    "cost-and-usage",
    "LLM gateway / Cost and usage",
    "Who spends what, on which models, and how much of the budgets is left.",
    (*NUMBERS, *SPENDING, *USAGE),
    (Choice("key", "llmitm_requests_total", "key"),),
)
