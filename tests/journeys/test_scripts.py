"""Ordinary mitmproxy scripts in the addon list of a gateway."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.rig import CHAT, JSON, Rig, rigged
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

Start = Callable[..., AbstractContextManager[Rig]]


@pytest.fixture
def with_script(tmp_path: Path) -> Start:
    """A gateway whose addon list has the given script at its end, or where `default` isn't."""

    @contextmanager
    def start(script: str, *, first: bool = False, options: Any = None) -> Iterator[Rig]:
        (tmp_path / "script.py").write_text(script)
        entry = {"./script.py": options} if options else "./script.py"
        addons = [entry, "default"] if first else ["default", entry]
        with rigged(tmp_path, addons=addons) as rig:
            yield rig
            rig.reset()

    return start


MODULE = """
import json

def request(flow):
    body = json.loads(flow.request.get_text())
    body["messages"].insert(0, {"role": "system", "content": "Be brief."})
    flow.request.text = json.dumps(body)
    flow.request.headers["x-from-script"] = "1"
"""
CLASS = """
import asyncio
import json
from mitmproxy import ctx, http

class Brief:
    def load(self, loader):
        loader.add_option("brief_text", str, "nothing", "What to say first.")

    async def request(self, flow: http.HTTPFlow) -> None:
        await asyncio.sleep(0)
        body = flow.request.json()
        body["messages"].insert(0, {"role": "system", "content": ctx.options.brief_text})
        flow.request.text = json.dumps(body)
        flow.request.headers["x-from-script"] = "1"

addons = [Brief()]
"""
CONCURRENT = """
import json
import threading
from mitmproxy.script import concurrent

@concurrent
def request(flow):
    assert threading.current_thread() is not threading.main_thread()
    body = flow.request.json()
    body["messages"].insert(0, {"role": "system", "content": "Be brief."})
    flow.request.content = json.dumps(body).encode()
    flow.request.headers["x-from-script"] = "1"
"""


@pytest.mark.parametrize(
    ("script", "options"),
    [(MODULE, None), (CLASS, {"brief_text": "Be brief."}), (CONCURRENT, None)],
    ids=["module", "class, async", "concurrent"],
)
@pytest.mark.parametrize("first", [True, False])
def test_rewrites_the_prompt(
    with_script: Start, script: str, options: dict[str, str] | None, first: bool
) -> None:
    """What a script makes of a request is what the provider gets, wherever in the list it is."""
    with with_script(script, first=first, options=options) as rig:
        client = rig.post(chat())
        peer, asked = rig.asked()
        assert asked.json["messages"][0] == {"role": "system", "content": "Be brief."}
        assert asked.json["messages"][1]["content"] == "hi"
        assert asked.headers["x-from-script"] == "1"
        peer.send(reply(200, completion()))
        assert client.message().status == 200


def test_edits_an_answer(with_script: Start) -> None:
    """A script edits whole answers: body, headers and status."""
    script = """
import json

def response(flow):
    body = flow.response.json()
    body["choices"][0]["message"]["content"] += " and goodbye"
    flow.response.text = json.dumps(body)
    flow.response.headers["x-from-script"] = "1"
    flow.response.status_code = 203
"""
    with with_script(script) as rig:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(reply(200, completion("hello")))
        answer = client.message()
        assert answer.status == 203
        assert answer.headers["x-from-script"] == "1"
        assert answer.json["choices"][0]["message"]["content"] == "hello and goodbye"
        assert rig.watcher.wait()[0].status == 203


def test_replaces_an_answer(with_script: Start) -> None:
    """A script may put another response in place of the provider's."""
    script = """
from mitmproxy import http

def response(flow):
    flow.response = http.Response.make(418, b"short and stout", {"x-from-script": "1"})
"""
    with with_script(script) as rig:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(reply(200, completion("hello")))
        answer = client.message()
        assert (answer.status, answer.body) == (418, b"short and stout")
        assert answer.headers["x-from-script"] == "1"


@pytest.mark.parametrize("hook", ["requestheaders", "request"])
@pytest.mark.parametrize("first", [True, False])
def test_answers_itself(with_script: Start, hook: str, first: bool) -> None:
    """A response that a script sets goes to the client, and no provider is asked."""
    script = f"""
from mitmproxy import http

def {hook}(flow):
    flow.response = http.Response.make(200, b'{{"from": "script"}}', {{"x": "1"}})
"""
    with with_script(script, first=first) as rig:
        answer = rig.post(chat()).message()
        assert (answer.status, answer.json) == (200, {"from": "script"})
        assert rig.watcher.wait()[0].attempts == ()


STREAMED = """
def responseheaders(flow):
    def upper(data: bytes):
        return data.upper() if data else b": the end\\n\\n"

    flow.response.stream = upper
    flow.response.headers["x-from-script"] = "1"
"""


def test_edits_a_stream(with_script: Start) -> None:
    """A stream callable sees each chunk as it comes, and the end as an empty one."""
    with with_script(STREAMED) as rig:
        client = rig.post(chat(stream=True))
        peer, _ = rig.asked()
        peer.send(STREAM_HEAD)
        peer.send_chunk(token("hello"))
        assert client.head().headers["x-from-script"] == "1"
        assert client.chunk() == token("hello").upper()
        peer.send_chunk(token("world"))
        assert client.chunk() == token("world").upper()
        for data in (finish(), DONE, b""):
            peer.send_chunk(data)
        assert client.rest_of_chunks().endswith(DONE.upper() + b": the end\n\n")


def test_stream_callable_on_a_whole_answer(with_script: Start) -> None:
    """A stream callable works on an answer that comes in one piece, too."""
    with with_script(STREAMED) as rig:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(reply(200, completion("hello")))
        assert client.message().body == completion("hello").upper() + b": the end\n\n"


def test_stream_callable_on_a_request(with_script: Start) -> None:
    """A stream callable works on requests, short and long."""
    script = """
def requestheaders(flow):
    flow.request.stream = lambda data: data.upper()
"""
    with with_script(script) as rig:
        for size in (10, 3_000_000):
            client = rig.client()
            kind = {**JSON, "content-type": "application/octet-stream"}
            client.send(request("POST", "/v1/uploads/1", b"a" * size, kind))
            peer, asked = rig.asked()
            assert asked.body == b"A" * size
            peer.send(reply(200, b"{}", {"connection": "close"}))
            peer.close()
            assert client.message().status == 200


@pytest.mark.parametrize("hook", ["requestheaders", "request"])
@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("first", [True, False])
def test_raises_before_the_provider_is_asked(
    with_script: Start, hook: str, kind: str, first: bool
) -> None:
    """A script that raises refuses the call: 500, no provider is asked, nothing is told."""
    script = f'{kind} {hook}(flow):\n    raise ValueError("a secret of the script")\n'
    with with_script(script, first=first) as rig:
        answer = rig.post(chat()).message()
        assert answer.status == 500
        assert answer.json["error"]["code"] == "internal_error"
        assert b"secret" not in answer.body
        record = rig.watcher.wait()[0]
        assert (record.error, record.attempts) == ("internal", ())


@pytest.mark.parametrize("hook", ["responseheaders", "response"])
def test_raises_after_the_provider_was_asked(with_script: Start, hook: str) -> None:
    """A script that raises lets no answer through that it might have wanted to change."""
    with with_script(f"def {hook}(flow):\n    raise ValueError\n") as rig:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(reply(200, completion("hello")))
        answer = client.message()
        assert answer.status == 500
        assert b"hello" not in answer.body


def test_raises_in_a_stream(with_script: Start) -> None:
    """A stream callable that raises ends the stream with an error, never like a whole one."""
    script = """
def responseheaders(flow):
    def broken(data):
        if b"world" in data:
            raise ValueError("a secret of the script")
        return data

    flow.response.stream = broken
"""
    with with_script(script) as rig:
        client = rig.post(chat(stream=True))
        peer, _ = rig.asked()
        peer.send(STREAM_HEAD)
        peer.send_chunk(token("hello"))
        client.head()
        assert client.chunk() == token("hello")
        peer.send_chunk(token("world"))
        rest = client.rest_of_chunks()
        assert json.loads(rest.removeprefix(b"data: "))["error"]["code"] == "internal_error"
        assert b"secret" not in rest
        assert DONE not in rest
        assert peer.closed()


@pytest.mark.parametrize("hook", ["requestheaders", "request"])
def test_kills_a_request(with_script: Start, hook: str) -> None:
    """`flow.kill()` refuses the call before any provider is asked."""
    with with_script(f"def {hook}(flow):\n    flow.kill()\n") as rig:
        assert rig.post(chat()).message().status == 403
        assert rig.watcher.wait()[0].attempts == ()


@pytest.mark.parametrize("hook", ["responseheaders", "response"])
def test_kills_an_answer(with_script: Start, hook: str) -> None:
    """`flow.kill()` keeps an answer from the client."""
    with with_script(f"def {hook}(flow):\n    flow.kill()\n") as rig:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(reply(200, completion("hello")))
        answer = client.message()
        assert answer.status == 403
        assert b"hello" not in answer.body


def test_hears_of_every_end(with_script: Start, tmp_path: Path) -> None:
    """A script hears `response` of what was answered, or `error` of what broke off, once each."""
    script = f"""
LOG = open({str(tmp_path / "log")!r}, "a", buffering=1)

def response(flow):
    LOG.write(f"response {{flow.response.status_code}}\\n")

def error(flow):
    LOG.write(f"error {{flow.error.msg}}\\n")

def done():
    LOG.close()
"""
    with with_script(script) as rig:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(reply(200, completion("hello")))
        client.message()
        client.send(request("POST", CHAT, chat(), {}))
        client.message()
        leaving = rig.post(chat(stream=True))
        peer.head()
        peer.send(STREAM_HEAD)
        peer.send_chunk(token("hello"))
        leaving.until(b"hello")
        leaving.close()
        rig.watcher.wait(3)
        noted = (tmp_path / "log").read_text().splitlines()
    assert noted == ["response 200", "response 401", "error client disconnected"]


def test_sees_no_key(with_script: Start) -> None:
    """A script after the default ones sees neither the client's key nor the provider's."""
    script = """
def request(flow):
    flow.request.headers["x-seen"] = str(sorted(flow.request.headers))

def response(flow):
    flow.response.headers["x-seen"] = flow.request.headers["x-seen"]
"""
    with with_script(script) as rig:
        client = rig.post(chat())
        peer, _ = rig.asked()
        peer.send(reply(200, completion("hello")))
        assert "authorization" not in client.message().headers["x-seen"]


def test_broken_script(tmp_path: Path) -> None:
    """A gateway with a script that can't be loaded doesn't start, and says which and why."""
    from llmitm.pipeline import AddonError
    from tests.support.gateway import Starter

    (tmp_path / "script.py").write_text("import nothing_of_that_name\n")
    starter = Starter(tmp_path)
    try:
        with pytest.raises(AddonError, match=r"script\.py.*nothing_of_that_name"):
            starter.gateway(
                {"addons": ["default", "./script.py"]}, provider_url="http://127.0.0.1:9"
            )
    finally:
        starter.close()


def test_open_gateway_without_auth(with_script: Start) -> None:
    """A request without a key never reaches a script's provider, even if the script rewrites it."""
    with with_script(MODULE) as rig:
        client = rig.client()
        client.send(request("POST", CHAT, chat()))
        assert client.message().status == 401
        assert rig.watcher.wait()[0].status == 401
