"""What every record of the configuration has in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen record that refuses unknown keys and keeps its input out of error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    @classmethod
    def yaml_keys(cls) -> dict[str, Any]:
        """The keys that YAML may use, each with its type."""
        return {f.alias or name: f.annotation for name, f in cls.model_fields.items()}

    def given(self) -> dict[str, Any]:
        """What was set rather than left to its default, nested records included."""
        return self.model_dump(exclude_unset=True)


def record_at(model: type[Model], where: Iterable[str | int]) -> type[Model] | None:
    """The type of the record at `where` inside `model`; None where there is no record."""
    here: Any = model
    for step in where:
        record = _record(here)
        here = record.yaml_keys().get(str(step)) if record else _items(here)
    return _record(here)


def sections_of(model: type[Model], key: str) -> list[str]:
    """The records inside `model` that know `key`, where `model` itself does not."""
    inside = ((name, _record(kind)) for name, kind in model.yaml_keys().items())
    return [name for name, record in inside if record and key in record.yaml_keys()]


def _record(kind: Any) -> type[Model] | None:
    """The record type of `X` or `X | None`."""
    for candidate in (kind, *get_args(kind)):
        if isinstance(candidate, type) and issubclass(candidate, Model):
            return None if _is_container(kind) else candidate
    return None


def _is_container(kind: Any) -> bool:
    return getattr(kind, "__origin__", None) in (dict, tuple, list)


def _items(kind: Any) -> Any:
    """The type of the items of a list or mapping."""
    if not _is_container(kind):
        return None
    first, *rest = get_args(kind)
    return rest[0] if kind.__origin__ is dict else first
