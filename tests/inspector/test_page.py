"""mitmweb's page is changed where it must be."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

from llmitm.inspector import page

INDEX = (page.WEB / "index.html").read_text()


def test_title_and_style() -> None:
    """The page says what it is, and has our style after its own."""
    changed = page.page(INDEX)
    assert "<title>llmitm inspector</title>" in changed
    assert changed.index("page.css") > changed.index("./static/index-")
    assert b"flow-table" in page.style()


def test_the_page_accepts_meta_filters() -> None:
    """The script of the installed mitmproxy is the one that the change is for."""
    (name,) = re.findall(rf"static/({page.SCRIPT})", INDEX)
    assert page.script(name).count('.replaceAll("~meta","~comment")') == 1


def test_the_page_ends_running_calls(caplog: pytest.LogCaptureFixture) -> None:
    """Its button is there for every call, and what it asks for is not left to held ones."""
    (name,) = re.findall(rf"static/({page.SCRIPT})", INDEX)
    script = page.script.__wrapped__(name)
    assert 'disabled:!1,title:"end this call [x]"' in script
    assert re.search(r"\{return\(\)=>Promise\.all\([^;{}]*`/flows/\$\{\w+\.id\}/kill`", script)
    assert not caplog.records


def test_another_version_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is served as it is, with a warning."""
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "index-new.js").write_text("hello()")
    monkeypatch.setattr(page, "WEB", tmp_path)
    with caplog.at_level(logging.WARNING):
        assert page.script("index-new.js") == "hello()"
    assert "~meta" in caplog.text
