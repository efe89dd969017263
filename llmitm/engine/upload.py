"""Request bodies that are passed on as they arrive, because they are long and nobody edits them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from llmitm.call import Attempt
from llmitm.engine.form import renamed
from llmitm.errors import GatewayError


@dataclass(slots=True)
class Upload:
    """A body whose beginning (`head`) is here. `rest` can be read once, so it can be sent once.

    `length` is all of it in bytes, where the client said so; `model` is what a form names.
    `fault` is what went wrong on the client's side while it was being sent.
    """

    head: bytes
    rest: AsyncIterator[bytes]
    content_type: str
    length: int | None = None
    model: str | None = None
    taken: bool = False
    fault: GatewayError | None = None

    def body(self, attempt: Attempt) -> AsyncIterator[bytes]:
        """What to send in `attempt`, with its model in place of the form's."""
        head = self.head
        if self.model is not None and attempt.model != self.model:
            head = renamed(head, self.content_type, attempt.model)
        if self.length is not None:
            attempt.headers["content-length"] = str(self.length - len(self.head) + len(head))
        attempt.replayable = not self.taken
        return self._chunks(attempt, head)

    async def _chunks(self, attempt: Attempt, head: bytes) -> AsyncIterator[bytes]:
        self.taken = True
        attempt.replayable = False
        yield head
        try:
            async for chunk in self.rest:
                yield chunk
        except GatewayError as fault:
            self.fault = fault
            raise
