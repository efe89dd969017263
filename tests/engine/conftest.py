"""The event loop of the gateway, and gateways whose both ends are plain sockets of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import uvloop

from tests.support.rig import Rig, rigged

LIMITS = {"max_body": 100_000, "max_header": 8192, "buffer_body": 20_000}


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], uvloop.Loop]]:
    """Asynchronous tests run on the loop that the gateway runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with rigged(tmp_path_factory.mktemp("rig"), http=LIMITS) as rig:
        yield rig


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    """One gateway per file; each test leaves it as it found it."""
    yield shared_rig
    shared_rig.reset()
