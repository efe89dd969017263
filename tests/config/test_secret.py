from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from llmitm.config.document import Document
from llmitm.config.model import Model
from llmitm.config.problems import Fault
from llmitm.config.secret import HeaderValue, OptionalSecret, Secret, digest, is_literal, plain
from llmitm.config.values import Text

CANARY = "sk-canary"


class Record(Model):
    token: Secret
    maybe: OptionalSecret = None
    header: HeaderValue = "plain"


@pytest.mark.parametrize("show", [str, repr, "{}".format, "{:>8}".format, lambda s: f"{[s]}"])
def test_never_prints(show: Any) -> None:
    """A secret prints as asterisks, however it is printed."""
    printed = show(Secret(CANARY))
    assert CANARY not in printed
    assert "*****" in printed


def test_reveals() -> None:
    """Only `reveal` gives the text; equal texts are equal secrets, also after pickling."""
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    assert secret == Secret(CANARY) == pickle.loads(pickle.dumps(secret))
    assert secret != Secret("other")
    assert secret != CANARY
    assert len({secret, Secret(CANARY)}) == 1


def test_records_hide_their_secrets() -> None:
    """Neither repr nor dump nor JSON of a record shows a secret."""
    record = Record(token=Secret(CANARY), maybe=Secret(CANARY), header=Secret(CANARY))
    shown = [repr(record), str(record.model_dump()), record.model_dump_json()]
    assert CANARY not in " ".join(shown)
    assert json.loads(shown[2])["token"] == "*****"


def test_empty_means_none_where_it_may() -> None:
    """`${NAME:-}` without the variable leaves an optional secret out."""
    assert Record.model_validate({"token": CANARY, "maybe": Text.of("", "${X:-}")}).maybe is None


def test_header_is_secret_where_it_comes_from_elsewhere() -> None:
    """A header's value from the environment is masked; one written out is plain."""
    values = (Text.of(CANARY, "${KEY}"), "2024-06-01")
    headers = [Record.model_validate({"token": "t", "header": v}).header for v in values]
    assert headers == [Secret(CANARY), "2024-06-01"]


def test_reads_files_beside_the_document(tmp_path: Path) -> None:
    """`file:` is relative to the file that names it, and loses its trailing newline."""
    (tmp_path / "key").write_text(f"{CANARY}\n")
    document = Document("some.yaml", tmp_path)
    assert plain("file:key", document) == CANARY
    assert document.files == {tmp_path / "key"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"one\ntwo", "line break"),
        (b"\xff\xfe", "it is not UTF-8"),
        (None, "there is no file"),
    ],
)
def test_refuses_files(tmp_path: Path, content: bytes | None, message: str) -> None:
    """A file that is missing, empty or not one line of text is a fault."""
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(Fault, match=message):
        plain("file:key", Document("some.yaml", tmp_path))


def test_refuses_directories(tmp_path: Path) -> None:
    """What cannot be read says why."""
    with pytest.raises(Fault, match="cannot be read: Is a directory"):
        plain(f"file:{tmp_path}", None)


@pytest.mark.parametrize("value", ["", "  ", "a\r\nX-Injected: 1", "a\x00", 123, None])
def test_refuses_what_cannot_be_sent(value: int | str | None) -> None:
    """Empty secrets, control characters and numbers are faults that do not repeat the value."""
    with pytest.raises(Fault) as caught:
        plain(value, None)
    assert "Injected" not in str(caught.value)


def test_digests() -> None:
    """A key is kept as its SHA-256, wherever it comes from."""
    hashed = hashlib.sha256(CANARY.encode()).hexdigest()
    assert digest(CANARY) == digest(f"sha256:{hashed}") == digest(f"sha256:{hashed.upper()}")
    with pytest.raises(Fault, match="64 hexadecimal digits"):
        digest("sha256:abc")


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("sk-1", True),
        (Text.of("sk-1", "${KEY}"), False),
        ("file:key", False),
        ("sha256:00", False),
        ("", False),
        (None, False),
    ],
)
def test_knows_literals(value: Any, literal: bool) -> None:
    """A literal is a secret that stands in the file itself."""
    assert is_literal(value) is literal
