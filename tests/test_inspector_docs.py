"""What the documentation of the inspector and of proxy mode says is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from mitmproxy import flowfilter
from mitmproxy.proxy.mode_specs import ProxyMode

from llmitm.config.schema import Inspector, Intercept
from llmitm.inspector import summary
from llmitm.proxy_hosts import KNOWN

DOCS = Path(__file__).parent.parent / "docs"
INSPECTOR = (DOCS / "inspector.md").read_text()
PROXY_MODE = (DOCS / "proxy-mode.md").read_text()
EXAMPLE = yaml.safe_load((DOCS.parent / "config" / "gateway.yaml").read_text())


def settings(page: str, section: str) -> set[str]:
    """The keys that a page's YAML examples give under `section`."""
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    return {key for block in blocks for key in block.get(section) or ()}


@pytest.mark.parametrize(
    ("page", "section", "model"),
    [(INSPECTOR, "inspector", Inspector), (PROXY_MODE, "intercept", Intercept)],
)
def test_every_setting_is_told(page: str, section: str, model: type[Inspector]) -> None:
    """The page and the example configuration have every key, and no other."""
    assert settings(page, section) == set(model.yaml_keys())
    assert set(EXAMPLE[section]) == set(model.yaml_keys())


def test_marks() -> None:
    """Each mark is in the table."""
    marks = (summary.FAILED, summary.LIMITED, summary.EXPENSIVE, summary.FAILED_OVER)
    assert set(re.findall(r"`(:\w+:)`", INSPECTOR)) == set(marks)


def test_filters() -> None:
    """Each filter that is told is one."""
    told = re.findall(r"^\| `(~[^`]+)`", INSPECTOR, re.MULTILINE)
    assert len(told) > 5
    for expression in told:
        assert flowfilter.parse(expression)


def test_hosts_and_modes() -> None:
    """Every well-known host is named, and every mode is one of mitmproxy's."""
    assert [host for host, _ in KNOWN if f"`{host}`" not in PROXY_MODE] == []
    for spec in re.findall(r"^\| `([^`]+)`", PROXY_MODE, re.MULTILINE):
        assert ProxyMode.parse(spec)


def test_pictures() -> None:
    """The pictures that the pages show are there."""
    shown = re.findall(r"\]\((images/[^)]+)\)", INSPECTOR + PROXY_MODE)
    assert shown
    assert [name for name in shown if not (DOCS / name).is_file()] == []
