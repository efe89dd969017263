"""Recording and alerting rules: valid, about metrics that exist, each tested and explained."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.promql import PROMETHEUS, ROOT, faults, rules

ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
CASES = PROMETHEUS / "tests" / "alerts.yml"
OF_THE_SEED = ("LLMCircuitBreakerOpen", "LLMCircuitBreakerFlapping", "LLMHighFailureRate")
OF_THE_GATEWAY = (
    "LLMBudgetNear",
    "LLMGatewayDown",
    "LLMHighErrorRate",
    "LLMLedgerDown",
    "LLMProviderCredentialsRefused",
    "LLMSharedStoreDown",
    "LLMSpoolGrowing",
)


def promtool(*arguments: str, folder: Path = PROMETHEUS) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    return subprocess.run(
        ["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def expectations(alert: str) -> list[list[dict[str, Any]]]:
    """What the cases expect of an alert, at each time they look."""
    cases = yaml.safe_load(CASES.read_text())["tests"]
    looks = [look for case in cases for look in case["alert_rule_test"]]
    return [look["exp_alerts"] for look in looks if look["alertname"] == alert]


def name(rule: dict[str, Any]) -> str:
    return str(rule.get("alert") or rule.get("record"))


@pytest.mark.parametrize("file", sorted((PROMETHEUS / "rules").iterdir()), ids=lambda p: p.name)
def test_rules_are_valid(file: Path) -> None:
    """`promtool check rules` finds no fault."""
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_configuration_is_valid() -> None:
    """`promtool check config` finds no fault, and every rule file by its pattern."""
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"\d+ rules found", done.stdout)) == len(
        list((PROMETHEUS / "rules").iterdir())
    )


def test_alerts_fire_when_they_should() -> None:
    """`promtool test rules`: each alert fires in its case and not in the other."""
    done = promtool("test", "rules", str(CASES))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_its_cases(alert: str) -> None:
    """An alert is seen firing and seen silent."""
    seen = expectations(alert)
    assert any(seen), "no case where it fires"
    assert not all(seen), "no case where it does not"


@pytest.mark.parametrize("rule", rules(), ids=name)
def test_rules_ask_for_what_there_is(rule: dict[str, Any]) -> None:
    """A rule speaks of metrics and labels of the table, and of recorded ones, only."""
    assert faults(rule["expr"]) == []


@pytest.mark.parametrize("alert", [*OF_THE_SEED, *OF_THE_GATEWAY])
def test_alerts_that_were_promised(alert: str) -> None:
    """The third seed's alerts and the gateway's own are there."""
    assert alert in ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_say_what_to_do(alert: str) -> None:
    """An alert has a severity and says what happens; docs/dashboards.md says what to do."""
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"] and rule["annotations"]["description"].endswith(".")
    page = (ROOT / "docs" / "dashboards.md").read_text()
    assert f"\n### {alert}\n" in page


def test_the_seeds_flapping_rule_never_fired(tmp_path: Path) -> None:
    """The third seed asks for more than six changes per second: a hundred in ten minutes are not.

    Ours, of the same name, fires for them.
    """
    series = "llm_circuit_breaker_state_changes_total"
    group = {
        "name": "seed",
        "rules": [{"alert": "Seed", "expr": f"rate({series}[10m]) > 6", "for": "5m"}],
    }
    (tmp_path / "seed.yml").write_text(yaml.safe_dump({"groups": [group]}))
    case = {
        "rule_files": ["seed.yml", str(PROMETHEUS / "rules" / "alerts.yml")],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": f'{series}{{target="t"}}', "values": "0+10x20"}],
                "alert_rule_test": [{"eval_time": "20m", "alertname": "Seed", "exp_alerts": []}],
                "promql_expr_test": [
                    {
                        "expr": 'count(ALERTS{alertname="LLMCircuitBreakerFlapping"})',
                        "eval_time": "20m",
                        "exp_samples": [{"value": 1, "labels": "{}"}],
                    }
                ],
            }
        ],
    }
    (tmp_path / "case.yml").write_text(yaml.safe_dump(case))
    done = promtool("test", "rules", "case.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
