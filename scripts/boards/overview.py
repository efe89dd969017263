"""Overview: is it up, is it fast, does it answer, what does it cost."""

from __future__ import annotations

from boards.panel import BREAKER, RATE, Board, Choice, Panel, Query, one, quantiles

ROUTE = '{route=~"$route"}'
REQUESTS = f"llmitm_requests_total{ROUTE}[{RATE}]"
FAILED = f'llmitm_requests_total{{route=~"$route",status=~"5.."}}[{RATE}]'

NUMBERS = (
    Panel("Requests per second", "stat", "reqps", one(f"sum(rate({REQUESTS}))"), 4),
    Panel(
        "Answered",
        "stat",
        "percentunit",
        one(f"1 - (sum(rate({FAILED})) or vector(0)) / sum(rate({REQUESTS}))"),
        4,
        "The share of calls that did not end with a 5xx.",
    ),
    Panel(
        "P95 latency",
        "stat",
        "s",
        quantiles("llmitm_request_duration_seconds", ROUTE, 0.95),
        4,
        "From accept to the last byte sent.",
    ),
    Panel(
        "P95 first token",
        "stat",
        "s",
        quantiles("llmitm_time_to_first_token_seconds", "", 0.95),
        4,
        "Of streams.",
    ),
    Panel(
        "Tokens per second",
        "stat",
        "short",
        one(f'sum(rate(llmitm_tokens_total{{direction="output"}}[{RATE}]))'),
        4,
        "Output tokens of all calls together.",
    ),
    Panel(
        "Cost per hour",
        "stat",
        "currencyUSD",
        one(f"sum(rate(llmitm_cost_usd_total[{RATE}])) * 3600"),
        4,
    ),
)

CURVES = (
    Panel(
        "Requests per second by status",
        "stack",
        "reqps",
        one(f"sum by (status) (rate({REQUESTS}))", "{{status}}"),
        12,
    ),
    Panel(
        "Requests per second by route",
        "stack",
        "reqps",
        one(f"sum by (route) (rate({REQUESTS}))", "{{route}}"),
        12,
    ),
    Panel(
        "Latency",
        "lines",
        "s",
        quantiles("llmitm_request_duration_seconds", ROUTE, 0.5, 0.95, 0.99),
    ),
    Panel(
        "Time to first token",
        "lines",
        "s",
        quantiles("llmitm_time_to_first_token_seconds", "", 0.5, 0.95),
    ),
    Panel(
        "Tokens per second by direction",
        "lines",
        "short",
        one(f"sum by (direction) (rate(llmitm_tokens_total[{RATE}]))", "{{direction}}"),
        about="Cached tokens are a part of input, reasoning tokens a part of output.",
    ),
    BREAKER,
    Panel(
        "Errors by cause",
        "stack",
        "reqps",
        one(f"sum by (cause) (rate(llmitm_errors_total[{RATE}])) > 0", "{{cause}}"),
        12,
        "Refusals are here too: authentication, limits, budgets.",
    ),
    Panel(
        "Gateway overhead",
        "lines",
        "s",
        quantiles("llmitm_overhead_seconds", "", 0.5, 0.99),
        about="The gateway's own share of the time to the first byte.",
    ),
    Panel(
        "Calls in flight",
        "lines",
        "short",
        one("sum by (instance) (llmitm_in_flight)", "{{instance}}"),
    ),
    Panel(
        "Gateways",
        "states",
        "short",
        one('max by (instance) (up{job="llmitm"})', "{{instance}}"),
        about="Whether Prometheus reaches each gateway.",
        values={0: "down", 1: "up"},
        good=1,
    ),
)

CALLS = Panel(
    "Calls",
    "logs",
    "short",
    (
        Query(
            '{job="llmitm", event="call"} |= `$request_id` | json '
            "| line_format `{{.status}} {{.key}} {{.model}} → {{.target}} "
            "{{.duration_ms}} ms {{.cost_usd}} USD {{.error}} {{.request_id}}`"
        ),
    ),
    24,
    "One line for each call. Above: paste an x-request-id, or any text, to find its lines.",
)

BOARD = Board(
    "overview",
    "LLM gateway / Overview",
    "Is it up, is it fast, does it answer, what does it cost.",
    (*NUMBERS, *CURVES, CALLS),
    (Choice("route", "llmitm_requests_total", "route"),),
)
