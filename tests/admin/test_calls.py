"""Single calls by the admin API."""

from __future__ import annotations

import httpx

from tests.admin.test_usage import gateway
from tests.support.gateway import Gateway

__all__ = ["gateway"]


def test_pages(gateway: Gateway) -> None:
    """The newest first, each once, until there are no more."""
    url = f"{gateway.admin_url}/admin/calls"
    seen, after = [], ""
    while after is not None:
        page = httpx.get(f"{url}?limit=2{after and f'&before={after}'}").json()
        seen += page["calls"]
        after = page["next"]
    assert [call["model"] for call in seen] == ["b", "b", "b", "a", "a"]
    assert len({call["request_id"] for call in seen}) == 5
    assert httpx.get(f"{url}?model=a").json()["next"] is None


def test_one(gateway: Gateway) -> None:
    """A call by its request id, without content where none is kept."""
    url = f"{gateway.admin_url}/admin/calls"
    [newest] = httpx.get(f"{url}?limit=1").json()["calls"]
    found = httpx.get(f"{url}/{newest['request_id']}").json()
    assert found == {"call": newest, "content": None}
    assert httpx.get(f"{url}/req_nowhere").status_code == 404
    assert httpx.get(f"{url}?before=req_nowhere").status_code == 404
    assert httpx.get(f"{url}?limit=many").status_code == 400
