"""What the page may do: look, hold and repeat, nothing else."""

from __future__ import annotations

import pytest
from mitmproxy import exceptions

from llmitm.inspector.desk import Desk
from llmitm.inspector.live import Live
from llmitm.inspector.replay import Replays
from tests.support.inspected import book, call_flow


@pytest.fixture
async def desk() -> Desk:
    diary, holds = book(hold="~b secret")
    replays = Replays(diary, None)  # type: ignore[arg-type]
    return Desk(diary, holds, replays, Live(diary))


def held_back(desk: Desk, body: bytes) -> bool:
    flow, _ = call_flow(body)
    current = desk._holds._filter
    return current is not None and bool(current(flow))


async def test_the_filter_of_the_configuration_is_shown(desk: Desk) -> None:
    """The page shows what gateway.yaml holds, and can change it."""
    assert desk.options.intercept == "~b secret"
    assert held_back(desk, b"a secret")
    desk.options.update(intercept="~b other")
    assert desk.options.intercept_active
    assert not held_back(desk, b"a secret")
    desk.options.update(intercept_active=False)
    assert not held_back(desk, b"other")
    desk.options.update(intercept_active=True)
    assert held_back(desk, b"other")
    desk.options.update(intercept=None)
    assert not desk.options.intercept_active


async def test_a_wrong_filter_changes_nothing(desk: Desk) -> None:
    """What was in force stays."""
    with pytest.raises(exceptions.OptionsError):
        desk.options.update(intercept="(((")
    assert desk.options.intercept == "~b secret"
    assert held_back(desk, b"a secret")


@pytest.mark.parametrize("name", ["scripts", "mode", "confdir", "web_password"])
async def test_other_options_are_not_there(desk: Desk, name: str) -> None:
    """Whoever may look at calls must not run scripts or open listeners."""
    with pytest.raises(KeyError):
        desk.options.update(**{name: "x"})


async def test_commands(desk: Desk) -> None:
    """The few commands of the page; none that reads or writes files."""
    assert sorted(desk.commands.commands) == [
        *("export", "export.formats"),
        *("replay.client", "replay.client.count", "replay.client.stop"),
        "view.flows.resolve",
    ]


async def test_reading_the_view_brings_it_up_to_date(desk: Desk) -> None:
    """Running calls are built when someone looks."""
    flow, _ = call_flow()
    desk._book.open(flow)
    assert [shown.id for shown in desk.view] == [flow.id]


async def test_files_of_flows(desk: Desk) -> None:
    """A loaded flow is shown under a new id, so that the same file can be loaded twice."""
    flow, _ = call_flow()
    await desk.load_flow(flow)
    await desk.load_flow(flow)
    assert len(desk.view) == 2
    assert flow.id not in {shown.id for shown in desk.view}
