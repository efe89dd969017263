"""The table of faults and how one is written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmitm.simulator.faults import COMMON, FAULTS, OK, UnknownFault, parse


@pytest.mark.parametrize(
    ("spec", "name", "params"),
    [
        ("429", "429", {}),
        ("429:retry-after=2,times=1", "429", {"retry-after": 2, "times": 1}),
        ("429; retry-after=2; times=1", "429", {"retry-after": 2, "times": 1}),
        ("slow-first-token:first-token=0.5", "slow-first-token", {"first-token": 0.5}),
        ("cut", "cut", {"after": 3}),
        ("cut:after=0,key=mine", "cut", {"after": 0, "key": "mine"}),
        ("wrong-length:by=-4", "wrong-length", {"by": -4}),
    ],
)
def test_parse(spec: str, name: str, params: dict[str, object]) -> None:
    """Reads a model's suffix and a header alike, and fills in the defaults."""
    fault = parse(spec)
    assert fault.name == name
    assert {**fault.params} == {**FAULTS[name].params, **params}


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("429s", "unknown fault '429s'; known are ok, 400"),
        ("429:after=2", "429 takes no 'after'; it takes times"),
        ("cut:after=x", "after must be a number, not 'x'"),
        ("cut:after=-1", "after must be a number, not '-1'"),
        ("cut:after=nan", "after must be a number"),
        ("cut:after", "after must be a number, not ''"),
        ("", "unknown fault ''"),
    ],
)
def test_refuses_what_it_does_not_know(spec: str, says: str) -> None:
    """A slip of the pen is an error that names the remedy, never no fault."""
    with pytest.raises(UnknownFault, match=says.replace("(", r"\(")):
        parse(spec)


@given(st.sampled_from(sorted(FAULTS)), st.sampled_from(sorted(COMMON)), st.integers(0, 99))
def test_any_fault_takes_the_common_parameters(name: str, param: str, value: int) -> None:
    """Every fault can be limited, told apart, and given a usage."""
    params = parse(f"{name}:{param}={value}").params
    assert params[param] == (str(value) if param == "key" else value)


def test_every_fault_is_tested_on_the_wire() -> None:
    """No fault without a test of what a client gets."""
    files = ("test_wire.py", "test_refusals.py")
    tests = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in files)
    assert [name for name in FAULTS if f'"{name}' not in tests] == []


def test_every_fault_says_what_it_does() -> None:
    """Each row has a line that ends like a sentence, and only `ok` does nothing."""
    assert all(kind.about.endswith(".") for kind in FAULTS.values())
    idle = [
        name
        for name, kind in FAULTS.items()
        if not (kind.effect or kind.filters or kind.refuses_prefill)
    ]
    assert idle == [OK.name]
