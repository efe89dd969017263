"""One line per call, unless it is turned off."""

from __future__ import annotations

import pytest

from addons import access_log
from addons.access_log import AccessLog
from llmitm.call import CallRecord, call_of
from tests.support.stage import Stage, flow_of


@pytest.mark.parametrize("on", [True, False])
def test_line(stage: Stage, monkeypatch: pytest.MonkeyPatch, on: bool) -> None:
    """Says every ended call where logging.yaml has access_log on."""
    said: list[CallRecord] = []
    monkeypatch.setattr(access_log, "access_line", said.append)
    stage.configure({"logging": {"access_log": on}})
    flow = flow_of()
    call = call_of(flow)
    AccessLog().call_end(flow)
    call.record = call.freeze()
    AccessLog().call_end(flow)
    assert said == ([call.record] if on else [])
