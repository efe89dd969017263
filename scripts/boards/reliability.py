"""Reliability: how the providers do, and what the gateway does about it."""

from __future__ import annotations

from boards.panel import BREAKER, RATE, Board, Choice, Panel, Query, one, quantile_by

TARGET = '{target=~"$target"}'


def breaker(what: str) -> str:
    """The rate of one of the breaker's counters, by target."""
    return f"sum by (target) (rate(llm_circuit_breaker_{what}_total{TARGET}[{RATE}]))"


def attempts(share: float) -> Panel:
    queries = quantile_by("llm_circuit_breaker_call_duration_seconds", TARGET, share, "target")
    return Panel(f"Attempts: P{share * 100:.0f}", "lines", "s", queries)


TARGETS = (
    BREAKER,
    Panel(
        "Failure rate",
        "lines",
        "percent",
        one(
            f"{breaker('failures')} / ({breaker('failures')} + {breaker('successes')}) * 100",
            "{{target}}",
        ),
        12,
        "The share of attempts that the circuit breaker counted as failures.",
    ),
    attempts(0.95),
    attempts(0.99),
    Panel(
        "Attempts kept away by an open circuit",
        "lines",
        "reqps",
        one(breaker("requests_blocked"), "{{target}}"),
    ),
    Panel(
        "Changes of state per hour",
        "lines",
        "short",
        one(
            "sum by (target, from, to) "
            f"(rate(llm_circuit_breaker_state_changes_total{TARGET}[1h])) * 3600 > 0",
            "{{target}}: {{from}} → {{to}}",
        ),
    ),
    Panel(
        "Probes and slow attempts",
        "lines",
        "reqps",
        (
            Query(breaker("half_open_requests"), "{{target}} probes"),
            Query(breaker("slow_calls"), "{{target}} slow"),
        ),
    ),
    Panel(
        "Retries",
        "lines",
        "reqps",
        one(f"sum by (target) (rate(llmitm_retries_total{TARGET}[{RATE}]))", "{{target}}"),
        about="Attempts on the same target after a failure.",
    ),
    Panel(
        "Failovers",
        "stack",
        "reqps",
        one(
            f"sum by (from, to, reason) (rate(llmitm_failovers_total[{RATE}]))",
            "{{from}} → {{to}}: {{reason}}",
        ),
        12,
        "Moves from one target to another within a call; the client sees none of them.",
    ),
    Panel(
        "Failed attempts by provider",
        "stack",
        "reqps",
        one(
            "sum by (gen_ai_provider_name, error_type) "
            f'(rate(gen_ai_client_inference_duration_seconds_count{{error_type!=""}}[{RATE}]))',
            "{{gen_ai_provider_name}}: {{error_type}}",
        ),
        12,
    ),
    Panel(
        "Attempts by model: P95",
        "lines",
        "s",
        quantile_by(
            "gen_ai_client_inference_duration_seconds",
            "",
            0.95,
            "gen_ai_provider_name",
            "gen_ai_request_model",
        ),
        12,
    ),
    Panel(
        "First chunk by provider: P95",
        "lines",
        "s",
        quantile_by(
            "gen_ai_client_inference_time_to_first_chunk_seconds", "", 0.95, "gen_ai_provider_name"
        ),
        12,
    ),
)

GATEWAY = (
    Panel(
        "Credentials refused by providers",
        "lines",
        "short",
        one(
            "sum by (provider) (increase(llmitm_upstream_auth_failures_total[10m]))",
            "{{provider}}",
        ),
        about="401, 402 and 403 to the gateway's own credential in ten minutes.",
    ),
    Panel(
        "Records waiting for the ledger",
        "lines",
        "short",
        (
            Query("sum by (instance) (llmitm_ledger_spool_records)", "{{instance}}"),
            Query("sum by (instance) (llmitm_ledger_dropped_total)", "{{instance}} lost"),
        ),
    ),
    Panel(
        "Stores",
        "states",
        "short",
        (
            Query("min by (instance) (llmitm_ledger_up)", "{{instance}} ledger"),
            Query("min by (instance) (llmitm_shared_store_up)", "{{instance}} shared store"),
        ),
        values={0: "down", 1: "up"},
        good=1,
    ),
    Panel(
        "Policy reloads",
        "lines",
        "short",
        one("sum by (result) (increase(llmitm_config_reloads_total[10m]))", "{{result}}"),
        6,
        "In ten minutes; a refused edit changes nothing.",
    ),
    Panel(
        "Memory",
        "lines",
        "bytes",
        one('sum by (instance) (process_resident_memory_bytes{job="llmitm"})', "{{instance}}"),
        6,
    ),
    Panel(
        "Processor",
        "lines",
        "percentunit",
        one(
            f'sum by (instance) (rate(process_cpu_seconds_total{{job="llmitm"}}[{RATE}]))',
            "{{instance}}",
        ),
        6,
    ),
    Panel(
        "Open files",
        "lines",
        "short",
        one('sum by (instance) (process_open_fds{job="llmitm"})', "{{instance}}"),
        6,
    ),
    Panel(
        "Warnings and errors",
        "logs",
        "short",
        one('{job="llmitm", level=~"warning|error|critical"} |= `$request_id`'),
        24,
        "Above: paste an x-request-id, or any text, to find its lines.",
    ),
)

BOARD = Board(
    "reliability",
    "LLM gateway / Reliability",
    "How the providers do, and what the gateway does about it.",
    (*TARGETS, *GATEWAY),
    (Choice("target", "llm_circuit_breaker_state", "target"),),
)
