"""What an operator does in the view is heard."""

from __future__ import annotations

import pytest
from mitmproxy import flow as mitm_flow

from llmitm.inspector.view import CallView
from tests.support.inspected import call_flow


class Ear:
    def __init__(self) -> None:
        self.heard: list[tuple[str, str | None]] = []

    def decided(self, flow: mitm_flow.Flow) -> None:
        self.heard.append(("decided", flow.id))

    def adopted(self, flow: mitm_flow.Flow) -> None:
        self.heard.append(("adopted", flow.id))

    def removed(self, flow: mitm_flow.Flow) -> None:
        self.heard.append(("removed", flow.id))

    def cleared(self) -> None:
        self.heard.append(("cleared", None))


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_what_mitmweb_does_is_heard(ear: Ear) -> None:
    """Handlers of the page go through `add`, `update` and `remove`."""
    view, (flow, _) = CallView(ear), call_flow()
    view.add([flow])
    view.update([flow])
    view.remove([flow])
    view.clear()
    said = [("adopted", flow.id), ("decided", flow.id), ("removed", flow.id), ("cleared", None)]
    assert ear.heard == said


def test_what_the_gateway_does_is_not(ear: Ear) -> None:
    """Showing and dropping calls is no decision of an operator."""
    view, (flow, _) = CallView(ear), call_flow()
    flow.live = False
    view.show(flow)
    view.show(flow)
    view.drop(flow)
    assert ear.heard == []
    assert len(view) == 0


def test_held_flows_survive_clearing(ear: Ear) -> None:
    """Someone waits for them."""
    view = CallView(ear)
    held, free = call_flow()[0], call_flow()[0]
    held.intercept()
    view.show(held)
    view.show(free)
    view.clear()
    assert list(view) == [held]


def test_deleting_a_held_flow_kills_it(ear: Ear) -> None:
    """mitmproxy's rule: what is deleted does not go on."""
    view, (flow, _) = CallView(ear), call_flow()
    flow.intercept()
    view.show(flow)
    view.remove([flow])
    assert flow.error is not None
