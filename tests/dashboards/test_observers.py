"""What stands around the gateway: Alertmanager, Alloy, Loki and Grafana's provisioning."""

from __future__ import annotations

import re
import subprocess

import msgspec
import pytest
import yaml

from llmitm.call import CallRecord
from tests.support.promql import ROOT, rules
from tests.support.tools import tool

DASHBOARDS = ROOT / "dashboards"
ALERTMANAGER = DASHBOARDS / "alertmanager" / "alertmanager.yml"
ALLOY = ("compose.alloy", "kubernetes.alloy")
PROVISIONING = DASHBOARDS / "grafana" / "provisioning"


def alloy(name: str) -> str:
    return re.sub(r"//.*", "", (DASHBOARDS / "alloy" / name).read_text().replace("://", "§"))


def components(text: str) -> dict[str, str]:
    """Each component of an Alloy configuration, as type.label, with its body."""
    found = re.findall(r'^([\w.]+) "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    return {f"{kind}.{label}": body for kind, label, body in found}


def test_alertmanager_is_valid() -> None:
    """`amtool check-config` finds no fault."""
    command = [tool("amtool"), "check-config", str(ALERTMANAGER)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_has_no_secret() -> None:
    """Addresses and tokens of channels are files, in what is commented out too."""
    text = ALERTMANAGER.read_text()
    named = re.findall(r"\b\w*(?:url|token|password|key|secret)\w*:", text)
    assert named and all(name.endswith("_file:") for name in named)


def test_alertmanager_knows_the_alerts() -> None:
    """What it holds back are alerts that there are."""
    config = yaml.safe_load(ALERTMANAGER.read_text())
    matchers = [m for rule in config["inhibit_rules"] for m in rule["source_matchers"]]
    matchers += [m for rule in config["inhibit_rules"] for m in rule["target_matchers"]]
    named = {name for m in matchers for name in re.findall(r"LLM\w+", m)}
    assert named and named <= {rule.get("alert") for rule in rules()}


@pytest.mark.parametrize("name", ALLOY)
def test_alloy_is_of_one_piece(name: str) -> None:
    """Every component that another one names is there, and every one is named or is the end."""
    text = alloy(name)
    there = components(text)
    ends = r"\b((?:loki|discovery)\.[\w.]+)\.(?:receiver|targets|output)\b"
    named = set(re.findall(ends, text))
    assert named <= set(there)
    sources = {one for one in there if one.startswith("loki.source.")}
    assert set(there) == named | sources
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("name", ALLOY)
def test_alloy_reads_fields_of_the_log(name: str) -> None:
    """It takes fields that the gateway's lines have; labels among them are few."""
    body = components(alloy(name))["loki.process.gateway"]
    fields = {field.name for field in msgspec.structs.fields(CallRecord)} | {"event", "level"}
    block = body.partition("expressions = {")[2].partition("}")[0]
    assert set(re.findall(r'= "(\w+)"', block)) <= fields
    labels = re.search(r"stage\.labels \{\s*values = \{([^}]*)\}", body)
    assert labels and set(re.findall(r"(\w+) =", labels[1])) == {"level", "event"}
    kept = re.search(r"stage\.structured_metadata \{\s*values = \{([^}]*)\}", body)
    assert kept and "request_id" in kept[1]


def test_alloy_does_the_same_everywhere() -> None:
    """Lines are treated alike in Compose and in Kubernetes."""
    one, other = (components(alloy(name))["loki.process.gateway"] for name in ALLOY)
    assert one == other


def test_loki_takes_what_alloy_sends() -> None:
    """Loki allows structured metadata, and forgets after a while."""
    config = yaml.safe_load((DASHBOARDS / "loki" / "loki.yaml").read_text())
    assert config["limits_config"]["allow_structured_metadata"] is True
    assert config["schema_config"]["configs"][0]["schema"] == "v13"
    assert config["compactor"]["retention_enabled"] is True


def test_grafana_has_its_sources() -> None:
    """Grafana knows the three sources, and how often Prometheus scrapes."""
    path = PROVISIONING / "datasources" / "datasources.yaml"
    sources = {one["type"]: one for one in yaml.safe_load(path.read_text())["datasources"]}
    assert set(sources) == {"prometheus", "loki", "alertmanager"}
    prometheus = yaml.safe_load((DASHBOARDS / "prometheus" / "prometheus.yml").read_text())
    scraped = prometheus["global"]["scrape_interval"]
    assert sources["prometheus"]["jsonData"]["timeInterval"] == scraped
    (link,) = sources["loki"]["jsonData"]["derivedFields"]
    assert link["matcherRegex"] == "request_id"
    assert "/d/llmitm-overview?var-request_id=" in link["url"]
    assert (DASHBOARDS / "grafana" / "boards" / "overview.json").is_file()


def test_grafana_finds_the_boards() -> None:
    """Grafana looks for dashboards where docker-compose.yaml mounts them."""
    path = PROVISIONING / "dashboards" / "dashboards.yaml"
    (provider,) = yaml.safe_load(path.read_text())["providers"]
    mounts = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["grafana"]
    assert f"./dashboards/grafana/boards:{provider['options']['path']}:ro" in mounts["volumes"]
