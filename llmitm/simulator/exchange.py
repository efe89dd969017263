"""One request as the dialects see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmitm.simulator.fault import Fault
from llmitm.simulator.refusals import Refused, invalid
from llmitm.simulator.settings import Settings


@dataclass(frozen=True, slots=True)
class Exchange:
    """The JSON object that was sent, and what decides how it is answered.

    `last` is the last part of the path, where that names a model or a file.
    """

    body: Mapping[str, Any]
    settings: Settings
    fault: Fault
    last: str = ""

    @property
    def model(self) -> str:
        """The model asked for. Raises Refused where there is none."""
        model = self.body.get("model")
        if not isinstance(model, str) or not model:
            raise Refused(invalid("You must provide a model parameter.", "model"))
        return model

    def list_of(self, field: str) -> list[Any]:
        """A list in the body that must not be empty. Raises Refused."""
        value = self.body.get(field)
        if not isinstance(value, list) or not value:
            raise Refused(invalid(f"'{field}' must be a list that is not empty.", field))
        return value

    def objects(self, field: str) -> list[Mapping[str, Any]]:
        """A list of objects in the body, empty where there is none. Raises Refused."""
        value = self.body.get(field) or []
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise Refused(invalid(f"'{field}' must be a list of objects.", field))
        return value

    def limit(self, *fields: str) -> int | None:
        """The first of `fields` that is set, a positive number of tokens. Raises Refused."""
        for field in fields:
            value = self.body.get(field)
            if value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise Refused(invalid(f"'{field}' must be a whole number above 0.", field))
            return value
        return None

    def stands_in(self, param: str, setting: int) -> int:
        """A parameter of the fault, or the setting that it stands in for."""
        return self.fault.whole(param, setting)
