"""Edits of the policies while the gateway runs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from llmitm.call import CallRecord
from tests.support.gateway import KEY
from tests.support.logged import logged
from tests.support.prompt import seconds_until, within_a_second
from tests.support.rig import AUTH, CHAT, JSON, Rig, rigged
from tests.support.wire import (
    DONE,
    STREAM_HEAD,
    chat,
    completion,
    finish,
    reply,
    request,
    token,
)

KEYS: dict[str, Any] = {"keys": [{"id": "dev", "key": KEY}]}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    routes = {"routes": [{"model": "m", "targets": [{"provider": "sim", "model": "first"}]}]}
    with rigged(tmp_path, {"routes": routes}) as rig:
        yield rig
        rig.reset()


def edit(rig: Rig, name: str, content: Any) -> None:
    """Replace a policy file as editors do: a new file in the old one's place."""
    path = rig.gateway.policies / f"{name}.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(text)
    fresh.replace(path)


def models(rig: Rig) -> list[str]:
    answer = httpx.get(f"{rig.gateway.url}/v1/models", headers=AUTH).json()
    return [model["id"] for model in answer["data"]]


def chat_record(rig: Rig) -> CallRecord:
    """The record of the one chat call, among those of this test's questions."""

    def chats() -> list[CallRecord]:
        return [record for record in rig.watcher.records if record.operation == "chat"]

    seconds_until(lambda: len(chats()) == 1)
    return chats()[0]


def reloads(rig: Rig, result: str) -> float:
    """How often policies were reloaded with this result."""
    text = httpx.get(f"{rig.gateway.admin_url}/metrics").text
    start = f'llmitm_config_reloads_total{{result="{result}"}} '
    return sum(float(line.removeprefix(start)) for line in text.splitlines() if start in line)


def user_of_the_key(rig: Rig) -> str | None:
    return rig.gateway.call(lambda: rig.gateway.master.runtime.policies.keys[0].user)


def config(rig: Rig) -> Any:
    return httpx.get(f"{rig.gateway.admin_url}/admin/config").json()


def routes(*names: str, target: str = "first") -> dict[str, Any]:
    targets = [{"provider": "sim", "model": target}]
    return {"routes": [{"model": name, "targets": targets} for name in names]}


def test_edit_of_routes(rig: Rig) -> None:
    """A new route is there within a second, and new calls go by it."""
    assert models(rig) == ["m"]
    edit(rig, "routes", routes("m", "n", target="second"))
    seconds_until(lambda: models(rig) == ["m", "n"])
    client = rig.post(chat("n"))
    peer, asked = rig.asked()
    assert asked.json["model"] == "second"
    peer.send(reply(200, completion()))
    assert client.message().status == 200
    assert [route["model"] for route in config(rig)["routes"]] == ["m", "n"]
    assert reloads(rig, "success") == 1

    def another() -> float:
        wanted = ["m", f"m{reloads(rig, 'success')}"]
        edit(rig, "routes", routes(*wanted))
        return seconds_until(lambda: models(rig) == wanted)

    within_a_second(another)


def test_edit_of_keys(rig: Rig) -> None:
    """A key that is taken out stops working within a second, and a new one works."""
    numbers = itertools.count()
    url = f"{rig.gateway.url}/v1/models"

    def status(key: str) -> int:
        return httpx.get(url, headers={"authorization": f"Bearer {key}"}).status_code

    def replaced() -> float:
        number = next(numbers)
        old, new = (f"sk-a-new-key-{n}" if n else KEY for n in (number, number + 1))
        edit(rig, "keys", {"keys": [{"id": "new", "key": new}]})
        took = seconds_until(lambda: status(old) == 401)
        assert status(new) == 200
        return took

    within_a_second(replaced)


def test_running_stream(rig: Rig) -> None:
    """A stream that is running goes on as it began, whatever is edited away under it."""
    client = rig.post(chat(stream=True))
    peer, _ = rig.asked()
    peer.send(STREAM_HEAD)
    peer.send_chunk(token("before"))
    client.head()
    assert client.chunk() == token("before")
    edit(rig, "routes", routes("other"))
    edit(rig, "keys", {"keys": [{"id": "other", "key": "sk-a-new-key"}]})
    edit(rig, "resilience", {"timeouts": {"between_tokens": 1000}})
    url = f"{rig.gateway.url}/v1/models"
    seconds_until(lambda: httpx.get(url, headers=AUTH).status_code == 401)
    seconds_until(lambda: [route["model"] for route in config(rig)["routes"]] == ["other"])
    for data in (token("after"), finish(), DONE, b""):
        peer.send_chunk(data)
    assert client.rest_of_chunks() == token("after") + finish() + DONE
    record = chat_record(rig)
    assert (record.status, record.error, record.key, record.route) == (200, None, "dev", "m")


def test_request_that_is_being_read(rig: Rig) -> None:
    """A call that was let in before an edit of its key is answered."""
    client = rig.client()
    headers = {**JSON, "expect": "100-continue", "content-length": str(len(chat()))}
    client.send(request("POST", CHAT, None, headers))
    assert client.head().status == 100
    edit(rig, "keys", {"keys": [{"id": "other", "key": "sk-a-new-key"}]})
    url = f"{rig.gateway.url}/v1/models"
    seconds_until(lambda: httpx.get(url, headers=AUTH).status_code == 401)
    client.send(chat())
    peer, _ = rig.asked()
    peer.send(reply(200, completion()))
    assert client.message().status == 200


BROKEN = {
    "not YAML": ("routes", "routes: [", "routes.yaml:2"),
    "unknown key": ("routes", {"routes": [], "rotues": []}, "rotues"),
    "dangling name": ("routes", {"routes": [{"model": "x", "targets": [{"provider": "gone"}]}]},
                      "gone"),
    "bad value": ("resilience", {"retry": {"attempts": 0}}, "attempts"),
    "dangling user": ("keys", {"keys": [{"id": "dev", "key": KEY, "user": "nobody"}]}, "nobody"),
    "no secret": ("keys", {"keys": [{"id": "dev", "key": "${NOT_SET}"}]}, "NOT_SET"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_edit(rig: Rig, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A broken edit changes nothing, is told in log, metric and admin API, and can be mended."""
    file, content, said = BROKEN[name]
    before = (rig.gateway.policies / f"{file}.yaml").read_text()
    with logged(capfd) as log:
        edit(rig, file, content)
        seconds_until(lambda: reloads(rig, "failure") == 1)
        told = [line for line in log.lines if "policy edit refused" in line["event"]]
    assert len(told) >= 1
    assert told[0]["level"] == "error"
    assert said in told[0]["event"]
    assert KEY not in str(told)
    assert said in config(rig)["errors"][0]
    assert KEY not in str(config(rig))
    assert models(rig) == ["m"]
    assert httpx.get(f"{rig.gateway.admin_url}/readyz").status_code == 200
    edit(rig, file, before)
    seconds_until(lambda: reloads(rig, "success") == 1)
    assert config(rig)["errors"] == []


def test_several_edits_at_once(rig: Rig) -> None:
    """Files that only fit together are taken together, in whatever order they are written."""
    user = {"id": "ava", "name": "Ava"}
    edit(rig, "routes", routes("m", "n"))
    edit(rig, "keys", {"users": [user], "keys": [{"id": "dev", "key": KEY, "user": "ava"}]})
    seconds_until(lambda: models(rig) == ["m", "n"] and user_of_the_key(rig) == "ava")
    client = rig.post(chat())
    peer, _ = rig.asked()
    peer.send(reply(200, completion()))
    client.message()
    assert chat_record(rig).user == "ava"


def test_reload_on_demand(rig: Rig) -> None:
    """`POST /admin/config/reload` loads the policies at once, and says what is wrong with them."""
    edit(rig, "routes", routes("m", "n"))
    told = httpx.post(f"{rig.gateway.admin_url}/admin/config/reload").json()
    assert [route["model"] for route in told["routes"]] == ["m", "n"]
    edit(rig, "routes", "routes: [")
    told = httpx.post(f"{rig.gateway.admin_url}/admin/config/reload").json()
    assert told["errors"]
    assert [route["model"] for route in told["routes"]] == ["m", "n"]


def test_metric_and_stream_of_a_removed_target(rig: Rig) -> None:
    """What circuits counted stays, and a target that no route names any more harms nobody."""
    client = rig.post(chat())
    peer, _ = rig.asked()
    peer.send(reply(500, b"{}", {"connection": "close"}))
    peer.close()
    assert client.message().status == 503
    edit(rig, "routes", routes("n", target="second"))
    seconds_until(lambda: models(rig) == ["n"])
    targets = httpx.get(f"{rig.gateway.admin_url}/admin/targets").json()["targets"]
    assert "sim/second" in [target["target"] for target in targets]
