"""From files and environment to one checked configuration, or to every problem in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from llmitm.config import from_environment
from llmitm.config.checks import check_gateway
from llmitm.config.defaults import default_ledger, default_routes
from llmitm.config.document import Document, Documents, Place, display
from llmitm.config.environment import override
from llmitm.config.gateway import Gateway
from llmitm.config.names import check_policies
from llmitm.config.policies import POLICY_FILES, Policies, PolicyFiles, assemble
from llmitm.config.problems import ConfigErrors, Problem, in_order, suggestion
from llmitm.config.source import read
from llmitm.config.stamps import Stamps, stamps
from llmitm.config.validate import validate

_USUAL_POLICIES = "../policies"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration without problems.

    `files` are all that were read, `stamps` the versions of the policies' before they were.
    """

    gateway: Gateway
    policies: Policies
    warnings: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()
    stamps: Stamps = field(default_factory=dict)


def load(path: Path | None, env: Mapping[str, str], now: datetime | None = None) -> Loaded:
    """The configuration of `gateway.yaml` and the policies it names; of `env` alone for None.

    Raises `ConfigErrors` with every problem of all files.
    """
    if path is None:
        documents, seen = from_environment.documents(env), stamps(None)
    else:
        documents, seen = _read_all(path, env)
    override(documents, env)
    gateway = validate(Gateway, documents["gateway"])
    check_gateway(documents["gateway"])
    policies = _policies(documents, _entries(documents["gateway"]), now)
    warnings = in_order(w for document in documents.values() for w in document.warnings)
    if gateway is None or policies is None:
        raise _errors(documents)
    return Loaded(gateway, policies, warnings, _files(documents), seen)


def load_policies(
    gateway: Gateway, directory: Path, env: Mapping[str, str], now: datetime | None = None
) -> Policies:
    """The policies of a directory, for a gateway that is already configured.

    Raises `ConfigErrors` with every problem of all files.
    """
    if not directory.is_dir():
        raise ConfigErrors([Problem(display(directory), None, "", "there is no such directory")])
    entries = {
        name: provider.model_dump(include={"api", "base_url"})
        for name, provider in gateway.providers.items()
    }
    documents = _read_policies(directory, entries, env)
    override(documents, env)
    policies = _policies(documents, entries, now)
    if policies is None:
        raise _errors(documents)
    return policies


def _read_all(path: Path, env: Mapping[str, str]) -> tuple[dict[str, Document], Stamps]:
    gateway = read(Path(os.path.abspath(path)), env)
    if gateway.get("store", "ledger") is None:
        gateway.put(("store", "ledger"), default_ledger(env), Place("defaults"))
    directory = _policy_directory(gateway)
    seen = stamps(directory)
    return {"gateway": gateway, **_read_policies(directory, _entries(gateway), env)}, seen


def _policy_directory(gateway: Document) -> Path | None:
    """The directory that `policies` names, or the usual one where it is there."""
    named = gateway.get("policies")
    named_or_usual = named if isinstance(named, str) else _USUAL_POLICIES
    directory = Path(os.path.abspath(gateway.directory / named_or_usual))
    if directory.is_dir():
        gateway.put(("policies",), str(directory), gateway.place(("policies",)))
        return directory
    if isinstance(named, str):
        remedy = "create it, or correct the path"
        gateway.report(("policies",), f"there is no directory {display(directory)}", remedy)
    return None


def _read_policies(
    directory: Path | None, entries: Mapping[str, Any] | None, env: Mapping[str, str]
) -> dict[str, Document]:
    """The documents of a directory; an empty one for each file that is not there."""
    documents: dict[str, Document] = {}
    for name in POLICY_FILES:
        path = (directory or Path()) / f"{name}.yaml"
        there = directory is not None and (path.exists() or path.is_symlink())
        documents[name] = read(path, env) if there else Document(display(path), path.parent)
    if not documents["routes"].files:
        _default_routes(documents["routes"], entries)
    if directory is not None:
        _warn_of_strangers(directory, documents["routes"])
    return documents


def _default_routes(document: Document, entries: Mapping[str, Any] | None) -> None:
    if entries is None:
        document.failed.add(())  # nothing to say about routes before the providers are mended
    else:
        document.value = {"routes": default_routes(entries)}


def _warn_of_strangers(directory: Path, document: Document) -> None:
    """A policy in a file of another name would be ignored without a word."""
    known = [f"{name}.yaml" for name in POLICY_FILES]
    for path in sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")]):
        if path.name not in known:
            remedy = suggestion(path.name, known, "policies")
            document.warnings.append(
                Problem(display(path), None, "", "no policy has this name, it is not read", remedy)
            )


def _policies(
    documents: dict[str, Document], entries: Mapping[str, Any] | None, now: datetime | None
) -> Policies | None:
    """The snapshot of the documents, or None where any document has a problem."""
    own = {name: documents[name] for name in POLICY_FILES}
    records = {name: validate(model, own[name]) for name, model in POLICY_FILES.items()}
    check_policies(documents, entries, now or datetime.now(UTC))
    if any(document.problems for document in documents.values()):
        return None
    return assemble(PolicyFiles(**cast(Any, records)), _files(own))


def _entries(gateway: Document) -> Mapping[str, Any] | None:
    """The providers of a document; None where it names none that could be told."""
    providers = gateway.get("providers")
    return providers if isinstance(providers, dict) and providers else None


def _errors(documents: Documents) -> ConfigErrors:
    problems = (p for document in documents.values() for p in document.problems)
    return ConfigErrors(problems, _files(documents))


def _files(documents: Documents) -> tuple[Path, ...]:
    return tuple(sorted({path for document in documents.values() for path in document.files}))
