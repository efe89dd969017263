"""Checks across the policies: every name refers to something, and to one thing only."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from llmitm.config.checks import warn_of_literal
from llmitm.config.document import Document, Documents, Where
from llmitm.config.glob import is_glob, matches
from llmitm.config.problems import Fault, is_near, suggestion
from llmitm.config.secret import digest
from llmitm.config.values import expiry, shown


def check_policies(documents: Documents, providers: Collection[str] | None, now: datetime) -> None:
    """Add what is wrong, and what is unwise, to the documents.

    `providers` is None where `gateway.yaml` is too broken to name any.
    """
    routes, keys, limits, prices = (documents[n] for n in ("routes", "keys", "limits", "prices"))
    _unique(routes, _each(routes, "routes", key="model"), "{value} already has a route {line}")
    _unique_prices(prices)
    _warn_of_shadows(routes)
    if providers is not None:
        _known(routes, _target_providers(routes), providers, "provider")
        _known(prices, _each(prices, "prices", key="provider"), [*providers, "*"], "provider")
    _keys(keys, now)
    models = _texts(routes, "routes", key="model")
    if models:
        _reachable(keys, models)
        _known(limits, _each(limits, "routes", key="route"), models, "route")


def _each(document: Document, *section: str | int, key: str) -> Iterator[tuple[Where, str]]:
    """The texts under `key` of each entry of a section; whatever else is there is skipped."""
    for where, _ in document.each(*section):
        value = document.get(*where, key)
        if isinstance(value, str) and (*where, key) not in document.failed:
            yield (*where, key), value


def _texts(document: Document, section: str, *, key: str) -> list[str]:
    return [value for _, value in _each(document, section, key=key)]


def _known(
    document: Document,
    references: Iterator[tuple[Where, str]],
    names: Collection[str],
    what: str,
) -> None:
    for where, name in references:
        if name not in names:
            known = [n for n in names if n != "*"]
            remedy = suggestion(name, known, f"{what}s")
            document.report(where, f"unknown {what} {shown(name)}", remedy)


def _unique(document: Document, values: Iterator[tuple[Where, Any]], message: str) -> None:
    first: dict[Any, Where] = {}
    for where, value in values:
        if value in first:
            said = message.format(value=shown(value), line=document.line(first[value]))
            document.report(where, said, "keep one of the two")
        first.setdefault(value, where)


def _target_providers(document: Document) -> Iterator[tuple[Where, str]]:
    for route, _ in document.each("routes"):
        yield from _each(document, *route, "targets", key="provider")


def _warn_of_shadows(document: Document) -> None:
    catch_all: Where | None = None
    for where, model in _each(document, "routes", key="model"):
        if catch_all and is_glob(model) and model != "*":
            document.warn(
                where,
                f'is never reached: "*" {document.line(catch_all)} takes every model before it',
                'move "*" to the end',
            )
        catch_all = where if model == "*" else catch_all


def _keys(document: Document, now: datetime) -> None:
    for section in ("teams", "users", "keys"):
        _unique(document, _each(document, section, key="id"), "{value} is already used {line}")
    teams, users = (_texts(document, section, key="id") for section in ("teams", "users"))
    if teams:  # without that section a team is no more than a label
        _known(document, _each(document, "users", key="team"), teams, "team")
        _known(document, _each(document, "keys", key="team"), teams, "team")
    _known(document, _each(document, "keys", key="user"), users, "user")
    _unique(document, _digests(document), "is the same key as the one {line}")
    for where, _ in document.each("keys"):
        warn_of_literal(document, (*where, "key"))
    _warn_of_expired(document, now)


def _digests(document: Document) -> Iterator[tuple[Where, str]]:
    for where, value in _each(document, "keys", key="key"):
        try:
            yield where, digest(value, document)
        except Fault:
            continue  # the schema reports it


def _warn_of_expired(document: Document, now: datetime) -> None:
    """A key that has expired is no fault: a gateway must start again the day after."""
    for where, value in _each(document, "keys", key="expires"):
        try:
            moment = expiry(value)
        except Fault:
            continue  # the schema reports it
        if moment <= now:
            day = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
            document.warn(where, f"the key expired at {day}", "remove it, or give a later date")


def _reachable(document: Document, models: Collection[str]) -> None:
    """A model that a key names should have a route: a near miss is a typo, else it may come."""
    for where, _ in document.each("keys"):
        for place, model in document.each(*where, "models"):
            if not isinstance(model, str) or is_glob(model) or not model:
                continue
            if not any(matches(pattern, model) for pattern in models):
                tell = document.report if is_near(model, models) else document.warn
                remedy = suggestion(model, models, "routes")
                tell(place, f"no route serves {shown(model)}", remedy)


def _unique_prices(document: Document) -> None:
    pairs = (
        (where, f"{document.get(*where, 'provider')}/{document.get(*where, 'model')}")
        for where, _ in document.each("prices")
    )
    _unique(document, pairs, "{value} already has a price {line}")
