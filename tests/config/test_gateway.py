from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmitm.config.address import Address
from llmitm.config.document import Document
from llmitm.config.gateway import AddonEntry, Gateway, Http, is_path
from llmitm.config.validate import validate
from tests.config.configuration import Check, Configuration, Parse

MINIMAL = "providers: {sim: {api: simulator}}\nstore: {ledger: 'sqlite:///l.db'}\n"


@pytest.fixture
def gateway(parse: Parse) -> Check:
    def load(text: str) -> tuple[Gateway | None, Document]:
        document = parse(MINIMAL + text)
        return validate(Gateway, document), document

    return load


def test_defaults(gateway: Check) -> None:
    """Little has to be said: the rest listens on loopback and asks for keys."""
    record, _ = gateway("")
    listen = record.listen
    assert (listen.gateway, listen.admin) == (
        Address("127.0.0.1", 4000),
        Address("127.0.0.1", 4001),
    )
    assert (listen.inspector, listen.intercept) == (Address("127.0.0.1", 4002), ())
    assert (record.auth, record.workers, record.admin_token) == ("required", 1, None)
    assert (record.addons, record.store.shared, record.drain_timeout) == (None, "memory", 30)
    assert record.http == Http(max_body=32 << 20, max_header=65536, buffer_body=1 << 20)
    assert (record.inspector.keep, record.inspector.body_cap) == (500, 262144)


def test_paths_are_relative_to_the_file(gateway: Check, empty: Configuration) -> None:
    """Policies, certificates, ledger and addons are found from the file that names them."""
    for name in ("cert.pem", "key.pem"):
        empty.write(f"tls/{name}", "x")
    record, document = gateway(
        "listen: {tls: {cert: tls/cert.pem, key: ./tls/../tls/key.pem}}\n"
        "policies: ../policies\naddons: [./mine.py]\n"
    )
    here = document.directory
    assert record.listen.tls.cert == here / "tls/cert.pem"
    assert record.listen.tls.key == here / "tls/key.pem"
    assert record.policies == here.parent / "policies"
    assert record.addons == (AddonEntry(str(here / "mine.py")),)
    assert record.store.ledger == f"sqlite:///{here}/l.db"


@pytest.mark.parametrize(
    ("written", "ledger"),
    [
        ("sqlite:////var/lib/l.db", "sqlite:////var/lib/l.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://app@db/llmitm", "postgresql://app@db/llmitm"),
        ("postgresql://app@/llmitm?host=/run/pg", "postgresql://app@/llmitm?host=/run/pg"),
    ],
)
def test_ledgers(parse: Parse, written: str, ledger: str) -> None:
    """A ledger is SQLite or PostgreSQL."""
    document = parse(f"providers: {{sim: {{api: simulator}}}}\nstore: {{ledger: '{written}'}}\n")
    record = validate(Gateway, document)
    assert record is not None
    assert record.store.ledger == ledger


@pytest.mark.parametrize(
    ("written", "entries"),
    [
        ("default", None),
        ("null", None),
        ("[]", ()),
        ("[auth]", (AddonEntry("auth"),)),
        (
            "[{cache: {size: 5}}, my.addon]",
            (AddonEntry("cache", {"size": 5}), AddonEntry("my.addon")),
        ),
        ("[{cache: null}]", (AddonEntry("cache"),)),
    ],
)
def test_addons(gateway: Check, written: str, entries: Any) -> None:
    """Addons are the default list or one of names, paths and names with options."""
    assert gateway(f"addons: {written}\n")[0].addons == entries


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("addons: all", "addons: must be default or a list"),
        ("addons: [5]", "addons[0]: is no addon"),
        ("addons: [{a: 1}]", "addons[0]: is no addon"),
        ("addons: [{a: {}, b: {}}]", "addons[0]: is no addon"),
        ("addons: {a: {}}", "addons: must be a list"),
        ("listen: {intercept: [socks9]}", "listen.intercept[0]: 'socks9' is no mitmproxy mode"),
        ("listen: {gateway: null}", "listen.gateway: must be an address, not null"),
    ],
)
def test_refuses(gateway: Check, written: str, problem: str) -> None:
    """What cannot be meant is said where it stands."""
    record, document = gateway(written)
    assert record is None
    assert str(document.problems[0]).startswith(f"some.yaml:3: {problem}")


def test_dump_hides_secrets(parse: Parse) -> None:
    """What the admin API shows of a configuration has no secret in it."""
    document = parse(
        "admin_token: ${ADMIN_TOKEN}\n"
        "providers: {p: {api: openai, api_key: '${OPENAI_API_KEY}', headers: {x: '${DEV_KEY}'}}}\n"
        "store: {ledger: 'postgresql://app:hunter2@db/l', shared: 'redis://:hunter2@cache'}\n"
        "inspector: {password: '${OTHER_KEY}'}\n"
    )
    record = validate(Gateway, document)
    assert record is not None
    for shown in (repr(record), record.model_dump_json(), str(record.model_dump())):
        assert "canary" not in shown
        assert "hunter2" not in shown
    assert record.store.shared == "redis://:hunter2@cache"


@pytest.mark.parametrize(
    ("name", "path"), [("auth", False), ("my.addon", False), ("./a", True), ("redact.py", True)]
)
def test_tells_paths_from_names(name: str, path: bool) -> None:
    """An addon with a slash or .py is a file."""
    assert is_path(name) is path
    assert Path(name).name
