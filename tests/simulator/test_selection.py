"""Which fault a request gets."""

import pytest

from llmitm.simulator.faults import UnknownFault
from llmitm.simulator.selection import Selection, spec_of, wants_prefill


@pytest.mark.parametrize(
    ("model", "spec"),
    [
        ("gpt", ""),
        ("sim-small", ""),
        ("sim-429", "429"),
        ("sim-429:retry-after=2", "429:retry-after=2"),
        ("sim-cut+prefill", "cut"),
        ("gpt@cut", "cut"),
        ("gpt@cut:after=1,times=2", "cut:after=1,times=2"),
        ("gpt@cut+prefill", "cut"),
        ("gpt+prefill@cut", "cut"),
        ("llama:1b", ""),
    ],
)
def test_spec_of(model: str, spec: str) -> None:
    """A model's name carries a fault after an @, or is `sim-` and a fault."""
    assert spec_of(model) == spec


@pytest.mark.parametrize(
    ("model", "wanted"),
    [("gpt", False), ("gpt+prefill", True), ("gpt@cut+prefill", True), ("gpt+prefill@cut", True)],
)
def test_wants_prefill(model: str, wanted: bool) -> None:
    """`+prefill` stands before the fault or at the end."""
    assert wants_prefill(model) is wanted


def test_header_goes_before_model_before_default() -> None:
    """What is named more closely wins; without anything there is no fault."""
    selection = Selection()
    assert selection.pick(None, "gpt").name == "ok"
    selection.default = "500"
    assert selection.pick(None, "gpt").name == "500"
    assert selection.pick(None, "gpt@503").name == "503"
    assert selection.pick("502", "gpt@503").name == "502"
    selection.default = None
    assert selection.pick(None, "gpt").name == "ok"


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("429:times=2", ["429", "429", "ok", "ok"]),
        ("429:skip=1", ["ok", "429", "429", "429"]),
        ("429:skip=1,times=1", ["ok", "429", "ok", "ok"]),
        ("429:times=0", ["ok", "ok", "ok", "ok"]),
        ("429", ["429", "429", "429", "429"]),
    ],
)
def test_times_and_skip(spec: str, names: list[str]) -> None:
    """Fails the requests it is told to, whatever asks for the fault."""
    selection = Selection()
    selection.default = spec
    assert [selection.pick(None, "gpt").name for _ in names] == names
    assert [selection.pick(spec, "gpt").name for _ in names] == names
    assert [selection.pick(None, f"gpt@{spec}").name for _ in names] == names


def test_each_text_is_counted_apart() -> None:
    """Another model, or another key, starts at the first request; so does a new default."""
    selection = Selection()
    for model in ("a@500:times=1", "b@500:times=1", "a@500:times=1,key=x"):
        assert [selection.pick(None, model).name for _ in range(2)] == ["500", "ok"]
    for _ in range(2):
        selection.default = "500:times=1"
        assert [selection.pick(None, "a").name for _ in range(2)] == ["500", "ok"]


def test_what_is_left_out_keeps_its_other_parameters() -> None:
    """A fault that has had its times still decides the length of the answer."""
    selection = Selection()
    picked = [selection.pick("500; times=1; tokens=7", "gpt") for _ in range(2)]
    assert [fault.whole("tokens") for fault in picked] == [7, 7]


def test_unknown_faults_are_refused() -> None:
    """A default that is not in the table changes nothing."""
    selection = Selection()
    selection.default = "500"
    with pytest.raises(UnknownFault):
        selection.default = "501"
    with pytest.raises(UnknownFault):
        selection.pick(None, "gpt@nothing")
    assert selection.default == "500"
    selection.reset()
    assert selection.default is None
