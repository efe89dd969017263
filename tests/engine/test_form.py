"""The model of a form, found however the form is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.engine.form import FormScan, is_form, renamed
from llmitm.errors import GatewayError

TYPE = "multipart/form-data; boundary=b0und"


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--b0und\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


END = b"--b0und--\r\n"
FORM = part("file", b"\r\n--not the end\r\n--b0un", '; filename="a.wav"') + part("model", b"m-1")
FORM += part("prompt", b'name="model"\r\n\r\nno') + END


def scan(*pieces: bytes, content_type: str = TYPE) -> str | None:
    form = FormScan(content_type)
    for piece in pieces:
        form.feed(piece)
    return form.model


@given(st.lists(st.integers(0, len(FORM)), max_size=8))
def test_pieces(cuts: list[int]) -> None:
    """Finds the model wherever the pieces of a form begin and end."""
    edges = [0, *sorted(cuts), len(FORM)]
    assert scan(*(FORM[a:b] for a, b in pairwise(edges))) == "m-1"


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="b0und"',
        "Multipart/Form-Data; charset=utf-8; boundary=b0und",
        "multipart/form-data;boundary=b0und; charset=utf-8",
    ],
)
def test_content_types(content_type: str) -> None:
    """Finds the boundary in any spelling of the content type."""
    assert is_form(content_type)
    assert scan(FORM, content_type=content_type) == "m-1"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Disposition: form-data; name=model",
        b'content-disposition:form-data;name="model"',
        b'Content-Type: text/plain\r\nCONTENT-DISPOSITION: form-data; x=1; name="model"; y="2"',
    ],
)
def test_spellings_of_the_field(head: bytes) -> None:
    """Finds the field however its head is written."""
    assert scan(b"--b0und\r\n" + head + b"\r\n\r\nm-1\r\n" + END) == "m-1"


@pytest.mark.parametrize(
    "form",
    [
        part("model", b"a") + part("model", b"a") + END,
        part("model", b"a" * 257) + END,
        part("model", b"a" * 5000),
        b"\r\n" + FORM,
        b"nonsense",
        b"--b0und\r\nX: " + b"a" * 9000,
    ],
    ids=["twice", "long name", "endless name", "preamble", "nonsense", "endless head"],
)
def test_refused(form: bytes) -> None:
    """Refuses a form that names two models, or that another parser may read differently."""
    with pytest.raises(GatewayError):
        scan(form)


def test_no_boundary() -> None:
    """Refuses a form whose content type names no boundary."""
    with pytest.raises(GatewayError):
        FormScan("multipart/form-data")


def test_no_model() -> None:
    """Finds nothing where no field is called model, and ignores what follows the end."""
    assert scan(part("file", b"x") + END + part("model", b"m")) is None


@given(st.text("abc-./:", min_size=1, max_size=50))
def test_renamed(model: str) -> None:
    """Puts another model in place of the form's, and changes nothing else."""
    form = renamed(FORM, TYPE, model)
    assert form == FORM.replace(b"m-1", model.encode())
    assert scan(form) == model


def test_renamed_without_model() -> None:
    """Leaves a form without a model alone."""
    form = part("file", b"x") + END
    assert renamed(form, TYPE, "m") == form
