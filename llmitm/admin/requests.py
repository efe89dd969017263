"""What the admin API's handlers share: reading a request, saying what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

from llmitm.config.problems import Fault
from llmitm.config.values import expiry, seconds
from llmitm.identity import IdentityDesk, Unknown
from llmitm.runtime import Runtime
from llmitm.stores.errors import LedgerError, Rejected
from llmitm.stores.filters import DIMENSIONS, Filters
from llmitm.stores.identities import Exists

_encode = msgspec.json.Encoder(decimal_format="number").encode


def desk_of(runtime: Runtime) -> IdentityDesk:
    """Where keys and users are made, by the policies in force."""
    return IdentityDesk(runtime.keyring.identities, runtime.policies)


async def json_body(request: web.Request) -> dict[str, Any]:
    """The request's JSON object, empty where it has no body. Raises web.HTTPBadRequest."""
    raw = await request.read()
    try:
        body = msgspec.json.decode(raw) if raw else {}
    except ValueError as fault:
        raise web.HTTPBadRequest(text=f"The body is not JSON: {fault}") from fault
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="The body must be a JSON object.")
    return body


@contextmanager
def refusals() -> Iterator[None]:
    """Answers for what goes wrong: unknown 404, taken 409, no sense 400, no database 503.

    What a database rejects, such as a NUL in a text, makes no sense.
    """
    try:
        yield
    except Unknown as fault:
        raise web.HTTPNotFound(text=str(fault)) from fault
    except Exists as fault:
        raise web.HTTPConflict(text=str(fault)) from fault
    except (Rejected, Fault, ValueError) as fault:
        raise web.HTTPBadRequest(text=str(fault)) from fault
    except LedgerError as fault:
        raise web.HTTPServiceUnavailable(text=str(fault)) from fault


def json_reply(value: Any) -> web.Response:
    """An answer whose amounts of money are numbers, exactly."""
    return web.Response(body=_encode(value), content_type="application/json")


def filters_of(request: web.Request, now: datetime) -> Filters:
    """The filters in a query: since, until, key, user, team, model, route, target."""
    query = request.query
    only = {name: query[name] for name in DIMENSIONS if name in query}
    return Filters(since=_moment(query, "since", now), until=_moment(query, "until", now), **only)


def _moment(query: Any, name: str, now: datetime) -> float | None:
    """A time of the query: 7d or 12h ago, a date (UTC), a time with its zone, epoch seconds."""
    text = query.get(name)
    if text is None:
        return None
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        return now.timestamp() - seconds(text)
    except Fault:
        return expiry(text).timestamp()


def utc_now() -> datetime:
    return datetime.now(UTC)
