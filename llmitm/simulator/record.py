"""What the simulator remembers of a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

type Outcome = Literal["running", "sent", "gone"]


@dataclass(slots=True)
class Record:
    """One request as it came in.

    `body` is its first bytes and `size` all of them; of a form, whose parts are not kept, only
    the size. `time` is seconds since the epoch. `fault` is what it asked for and got, "ok" for
    none. `outcome` is "gone" where the client left (or the simulator stopped) before the end;
    `tokens` is how many were sent as a stream.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    time: float
    body: bytes = b""
    size: int = 0
    model: str = ""
    fault: str = "ok"
    status: int | None = None
    outcome: Outcome = "running"
    tokens: int = 0

    def public(self) -> dict[str, Any]:
        """This record as a JSON object."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return fields | {
            "headers": dict(self.headers),
            "body": self.body.decode(errors="replace"),
        }
