"""Joining the text of a second stream to what a client has from the first."""

from __future__ import annotations


class Splice:
    """For a stream that was started again: swallows its text while it repeats what was delivered.

    `matched` turns true once all that was delivered has come again, and what follows is new.
    `diverged` turns true when the text differs; nothing comes out of it from then on.
    """

    def __init__(self, delivered: str) -> None:
        self._delivered = delivered
        self._at = 0
        self.matched = not delivered
        self.diverged = False

    def feed(self, delta: str) -> str | None:
        """The part of `delta` that is new to the client; None where there is none."""
        if self.matched:
            return delta or None
        if self.diverged:
            return None
        overlap = min(len(delta), len(self._delivered) - self._at)
        if not self._delivered.startswith(delta[:overlap], self._at):
            self.diverged = True
            return None
        self._at += overlap
        self.matched = self._at == len(self._delivered)
        return delta[overlap:] or None


class Seam:
    """For a stream that continues a prefill: drops leading space that the client already has.

    A prefill must not end in white space, so what was delivered last is taken off it, and the
    model may write it again.
    """

    def __init__(self, delivered: str) -> None:
        self._tail = delivered[len(delivered.rstrip()) :]

    def feed(self, delta: str) -> str | None:
        """The part of `delta` that is new to the client; None where there is none."""
        while self._tail and delta:
            if delta[0] == self._tail[0]:
                delta, self._tail = delta[1:], self._tail[1:]
            else:
                self._tail = ""
        return delta or None
