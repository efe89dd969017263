"""The inspection UI in a real browser, as an operator uses it."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect, sync_playwright

from llmitm.simulator.server import Simulator
from llmitm.simulator.wire import Wire
from tests.support.gateway import KEY, Gateway, Starter

OTHER_KEY = "sk-other-0123456789"
POLICIES: dict[str, Any] = {
    "keys": {
        "users": [{"id": "ava"}, {"id": "ben"}],
        "keys": [
            {"id": "research", "key": KEY, "user": "ava"},
            {"id": "support", "key": OTHER_KEY, "user": "ben"},
        ],
    },
    "routes": {
        "routes": [
            {
                "model": "gpt-4o",
                "targets": [
                    {"provider": "openai", "model": "gpt-4o"},
                    {"provider": "azure", "model": "gpt-4o"},
                ],
            },
            {"model": "*", "targets": [{"provider": "azure"}]},
        ]
    },
    "resilience": {"retry": {"attempts": 2, "base": 0.01, "max": 0.01}},
    "prices": {
        "prices": [
            {"provider": "azure", "model": "*", "input_per_million": 2.5, "output_per_million": 10}
        ]
    },
}
CHROMIUM_ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
# Where pictures for the documentation go, if anywhere.
PICTURES = os.environ.get("LLMITM_SCREENSHOTS")
LOOK_MS = 60_000  # how long the page may take to show something
SIZE = {"width": 1400, "height": 620}


@pytest.fixture
def page() -> Iterator[Page]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=CHROMIUM_ARGUMENTS, timeout=LOOK_MS
        )
        page = browser.new_page(viewport=SIZE)
        page.set_default_timeout(LOOK_MS)
        expect.set_options(timeout=LOOK_MS)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()
        assert errors == []


@pytest.fixture
def simulator(starter: Starter) -> tuple[Simulator, str]:
    return starter.simulator(pace=25, tokens=60)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, streams go on slowly: the page is being looked at."""
    looked = threading.Event()
    paced = Wire.paced

    async def slowly(wire: Wire) -> None:
        if not looked.is_set():
            await asyncio.sleep(1)
        await paced(wire)

    monkeypatch.setattr(Wire, "paced", slowly)
    return looked


@pytest.fixture
def gateway(starter: Starter, simulator: tuple[Simulator, str]) -> Gateway:
    overloaded, url = starter.simulator()
    overloaded.fault = "503"
    provider = {"api": "simulator", "base_url": simulator[1], "api_key": "sk-provider"}
    listen = {"gateway": "127.0.0.1:0", "admin": "127.0.0.1:0", "inspector": "127.0.0.1:0"}
    providers = {"openai": {**provider, "base_url": url}, "azure": provider}
    return starter.gateway({"listen": listen, "providers": providers}, POLICIES)


def ask(
    gateway: Gateway, text: str, *, model: str = "gpt-4o", key: str = KEY, stream: bool = False
) -> httpx.Response:
    messages = [
        {"role": "system", "content": "You answer in one paragraph."},
        {"role": "user", "content": text},
    ]
    body = {"model": model, "stream": stream, "temperature": 0.2, "messages": messages}
    headers = {"authorization": f"Bearer {key}"}
    url = f"{gateway.url}/v1/chat/completions"
    return httpx.post(url, json=body, headers=headers, timeout=90)


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def rows(page: Page) -> Locator:
    return page.locator(".flow-table tbody tr:has(td)")


def row(page: Page, text: str) -> Locator:
    return rows(page).filter(has_text=text)


def content(page: Page) -> Locator:
    return page.locator(".contentview pre")


def test_operator(
    page: Page, gateway: Gateway, simulator: tuple[Simulator, str], looked: threading.Event
) -> None:
    """Watches a stream, reads it, filters by key, holds the next prompt, edits and resumes it."""
    address = gateway.master.runtime.inspector
    assert address is not None
    page.goto("http://{}:{}/".format(*address))
    expect(page.get_by_placeholder("Search")).to_be_visible()
    with ThreadPoolExecutor(2) as pool:
        story = pool.submit(ask, gateway, "Tell me about gateways.", stream=True)
        live = row(page, "streaming …")
        expect(live).to_have_count(1)
        expect(live).to_contain_text("gpt-4o · azure/gpt-4o · first token")
        picture(page, "inspector-live")
        live.click()
        page.get_by_text("Response", exact=True).click()
        expect(content(page)).to_contain_text("── assistant")
        assert not story.done()
        looked.set()
        assert story.result().status_code == 200
        reads_the_conversation(page)
        filters_by_key(page, gateway)
        holds_edits_and_resumes(page, gateway, pool, simulator[0])


def reads_the_conversation(page: Page) -> None:
    expect(row(page, "200 after 2 attempts")).to_have_count(1)
    expect(page.locator(".contentview h5")).to_have_text("LLM")
    expect(content(page)).to_contain_text("route       gpt-4o, priority: openai/gpt-4o")
    expect(content(page)).to_contain_text("1. openai/gpt-4o: 503")
    expect(content(page)).to_contain_text("as it came")
    picture(page, "inspector-answer")
    page.get_by_text("Request", exact=True).click()
    expect(content(page)).to_contain_text("── system")
    expect(content(page)).to_contain_text("Tell me about gateways.")


def filters_by_key(page: Page, gateway: Gateway) -> None:
    ask(gateway, "Hello.", model="gpt-4o-mini", key=OTHER_KEY)
    expect(rows(page)).to_have_count(5)
    page.get_by_text("Flow List", exact=True).click()
    search = page.get_by_placeholder("Search")
    search.fill('~meta "key: support"')
    search.press("Enter")
    expect(rows(page)).to_have_count(2)
    expect(row(page, "gpt-4o-mini · azure/gpt-4o-mini")).to_have_count(1)
    picture(page, "inspector-filter")
    search.fill("")
    search.press("Enter")
    expect(rows(page)).to_have_count(5)


def holds_edits_and_resumes(
    page: Page, gateway: Gateway, pool: ThreadPoolExecutor, simulator: Simulator
) -> None:
    intercept = page.get_by_placeholder("Intercept")
    intercept.fill("~b merger")
    intercept.press("Enter")
    expect(page.locator(".fa-pause").first).to_be_visible()
    seen = len(simulator.requests)
    call = pool.submit(ask, gateway, "Summarise the merger with ACME.", model="gpt-4o-mini")
    held = row(page, "held for an operator")
    expect(held).to_have_count(1)
    held.click()
    page.get_by_text("Request", exact=True).click()
    expect(content(page)).to_contain_text("the merger with ACME")
    picture(page, "inspector-hold")
    page.get_by_role("button", name="Edit").click()
    editor = page.locator(".cm-content")
    expect(editor).to_contain_text("the merger with ACME")
    prompt = editor.inner_text().replace("the merger with ACME", "the public report")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(prompt)
    expect(editor).to_have_text(prompt)
    page.get_by_role("button", name="Done").click()
    expect(content(page)).to_contain_text("the public report")
    assert len(simulator.requests) == seen
    page.get_by_text("Flow", exact=True).click()
    page.get_by_role("button", name="Resume").click()
    assert call.result().status_code == 200
    assert b"Summarise the public report." in simulator.requests[-1].body
    expect(row(page, "held for an operator")).to_have_count(0)
    picture(page, "inspector-edited")


def test_operator_ends_a_running_call(page: Page, gateway: Gateway) -> None:
    """*Abort* ends a stream that nobody held, at its provider and at its client."""
    address = gateway.master.runtime.inspector
    assert address is not None
    page.goto("http://{}:{}/".format(*address))
    with ThreadPoolExecutor(1) as pool:
        story = pool.submit(ask, gateway, "Tell me about gateways.", stream=True)
        live = row(page, "streaming …")
        expect(live).to_have_count(1)
        live.click()
        page.get_by_text("Flow", exact=True).click()
        page.get_by_role("button", name="Abort").click()
        expect(row(page, "200 killed").filter(has_text="first token")).to_have_count(1)
        assert "An operator stopped this request." in story.result().text
    page.get_by_text("Response", exact=True).click()
    expect(content(page)).to_contain_text("── error")
