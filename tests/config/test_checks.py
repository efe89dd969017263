from __future__ import annotations

import pytest

from llmitm.config import checks
from llmitm.config.checks import check_gateway
from tests.config.configuration import Check, Configuration, Parse


@pytest.fixture
def found(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> Check:
    """What the checks say about a gateway.yaml, faults first, then warnings."""
    monkeypatch.setattr(checks, "builtin_addons", lambda: ["access_log", "auth"])

    def check(text: str) -> list[str]:
        document = parse(text)
        check_gateway(document)
        return [str(p).removeprefix("some.yaml:") for p in [*document.problems, *document.warnings]]

    return check


@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        ("{gateway: '127.0.0.1:9000', admin: '127.0.0.1:9000'}", "listen.admin"),
        ("{gateway: '0.0.0.0:4001'}", "listen.admin"),
        ("{inspector: '127.0.0.1:4000'}", "listen.inspector"),
        ("{intercept: [regular@4000]}", "listen.intercept[0]"),
        ("{intercept: [regular@9000, 'socks5@9000']}", "listen.intercept[1]"),
    ],
)
def test_listeners_do_not_clash(found: Check, listen: str, problem: str) -> None:
    """Two listeners on one port are a fault of the second, defaults included."""
    (message,) = found(f"listen: {listen}")
    assert message.startswith(f"1: {problem}: ")
    assert " is taken by " in message


@pytest.mark.parametrize(
    "listen",
    [
        "{gateway: '127.0.0.1:0', admin: '127.0.0.1:0', inspector: '127.0.0.1:0'}",
        "{gateway: '127.0.0.1:4000', admin: '127.0.0.2:4000', inspector: null}",
        "{intercept: [local]}",
        "{gateway: nonsense}",
        "nonsense",
    ],
)
def test_other_listeners_pass(found: Check, listen: str) -> None:
    """Ports that the system chooses, other hosts, and what the schema reports are no clash."""
    assert found(f"listen: {listen}") == []


@pytest.mark.parametrize(
    ("listen", "others"),
    [
        ("{gateway: '127.0.0.1:1', admin: 'localhost:2', inspector: '[::1]:3'}", None),
        ("{admin: '10.0.0.1:2'}", "listen.admin (10.0.0.1:2)"),
        ("{intercept: ['regular@127.0.0.1:8080']}", None),
        ("{intercept: [wireguard]}", "listen.intercept (0.0.0.0:51820)"),
    ],
)
def test_anonymous_is_for_loopback(found: Check, listen: str, others: str | None) -> None:
    """Whoever is not asked for a key must be on this machine, through every listener."""
    messages = found(f"auth: anonymous\nlisten: {listen}")
    assert bool(messages) is bool(others)
    assert all(others in message for message in messages if others)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("workers: 2", True),
        ("workers: 2\nstore: {shared: memory}", True),
        ("workers: 2\nstore: {shared: 'redis://h'}", False),
        ("workers: 1", False),
        ("workers: x", False),
    ],
)
def test_workers_share_a_store(found: Check, text: str, fault: bool) -> None:
    """Several workers need a shared store, and are told the line to add."""
    messages = found(text)
    assert bool(messages) is fault
    assert all("add the line shared: redis://127.0.0.1:6379/0" in m for m in messages)


def test_defaults_are_per_dialect(found: Check) -> None:
    """OpenAI's and Anthropic's defaults are two; Gemini's is one of OpenAI's dialect."""
    two = "a: {api: openai, default: true}, b: {api: anthropic, default: true}"
    assert found(f"providers: {{{two}}}") == []
    (message,) = found(f"providers: {{{two}, c: {{api: gemini, default: true}}}}")
    assert message.startswith("1: providers.c.default: a is already the default of its dialect")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:4001", "points back to listen.admin"),
        ("http://localhost:4000/v1", "points back to listen.gateway"),
        ("http://127.0.0.1:11434", None),
        ("http://ollama:4000", None),
        ("http://example.com/v1", "sends keys and prompts unencrypted; use https://"),
        ("http://h:port", None),
        ("5", None),
    ],
)
def test_upstreams(found: Check, url: str, problem: str | None) -> None:
    """A provider is neither this gateway nor reached in the clear across the Internet."""
    messages = found(f"providers: {{p: {{base_url: {url!r}}}}}")
    assert [problem in message for message in messages if problem] == [True] * bool(problem)
    assert bool(messages) is bool(problem)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("auth", None),
        ("{auth: {x: 1}}", None),
        ("json.tool", None),
        ("5", None),
        ("acess_log", "no addon is called acess_log; did you mean access_log?"),
        ("json", "no addon is called json; known addons: access_log, auth"),
        ("nowhere.addon", "no addon is called nowhere.addon"),
        ("./mine.py", "there is no file ./mine.py"),
        ("{../mine.py: {}}", "there is no file ../mine.py"),
    ],
)
def test_addons_exist(found: Check, entry: str, problem: str | None) -> None:
    """An addon is built in, a module or a file."""
    messages = found(f"addons: [{entry}]")
    assert bool(messages) is bool(problem)
    assert all(m.startswith(f"1: addons[0]: {problem}") for m in messages)


def test_addon_files_are_found(found: Check, empty: Configuration) -> None:
    """A path is relative to gateway.yaml."""
    empty.write("mine.py", "")
    assert found("addons: [./mine.py, mine.py]") == []


def test_warns_of_secrets_in_the_file(found: Check) -> None:
    """A secret that stands in the file works, with a warning that does not repeat it."""
    messages = found(
        "admin_token: canary\n"
        "providers: {p: {api_key: canary}, q: {api_key: '${DEV_KEY}'}, r: {api_key: 'file:x'}}\n"
        "inspector: {password: canary}\n"
    )
    assert [m.partition(": a secret stands in this file")[0] for m in messages] == [
        "1: admin_token",
        "3: inspector.password",
        "2: providers.p.api_key",
    ]
    assert "canary" not in "".join(messages)


def test_built_in_addons_are_found() -> None:
    """The addons that come with llmitm are known by their names."""
    assert "auth" in checks.builtin_addons()
    assert "__init__" not in checks.builtin_addons()
