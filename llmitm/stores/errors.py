"""What can go wrong between the ledger and its database."""

from __future__ import annotations


class LedgerError(Exception):
    """The ledger's database could not do what was asked; the message is for an operator."""


class Unavailable(LedgerError):
    """The database is down, locked or too slow. The same work may succeed later."""


class Rejected(LedgerError):
    """The database refuses these rows; they would be refused again."""


class Misconfigured(LedgerError):
    """The database can't be used until somebody changes something: credentials, name, version."""
