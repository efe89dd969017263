"""The documents say what the code does: nothing is left out, and nothing is made up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import docs as generator
from llmitm.admin import server
from llmitm.config.gateway import Gateway
from llmitm.config.model import Model
from llmitm.config.policies import POLICY_FILES
from llmitm.config.resilience import Override
from llmitm.engine.hooks import DECIDING, OBSERVING
from llmitm.errors import Cause, GatewayError, render
from llmitm.policy.headers import rate_limit_headers
from llmitm.policy.limits import REQUESTS, TOKENS, Standing

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def page(name: str) -> str:
    return (ROOT / name).read_text()


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of the tables in a text."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("|-"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("name", generator.PARTS)
def test_generated_parts(name: str) -> None:
    """What `make docs` writes is what it would write now."""
    text = page(generator.PAGES[name])
    assert generator.filled(text, name, generator.PARTS[name]()) == text, "run make docs"


def test_missing_marks() -> None:
    """A page that lost its marks is told, rather than left as it is."""
    with pytest.raises(ValueError, match="marks of faults"):
        generator.filled("nothing", "faults", "table")


def records(model: type[Model], found: dict[str, type[Model]]) -> dict[str, type[Model]]:
    """`model` and every record inside it, by name."""
    if model.__name__ not in found:
        found[model.__name__] = model
        for field in model.model_fields.values():
            for inside in models_of(field.annotation):
                records(inside, found)
    return found


def models_of(kind: Any) -> Iterator[type[Model]]:
    if isinstance(kind, type) and issubclass(kind, Model):
        yield kind
    for inner in get_args(kind):
        yield from models_of(inner)


RECORDS: dict[str, type[Model]] = {}
for _model in (Gateway, *POLICY_FILES.values()):
    records(_model, RECORDS)
del RECORDS[Override.__name__]  # a route's resilience has the keys of resilience.yaml


def documented() -> dict[str, dict[str, str]]:
    """Keys and their defaults by record, as docs/configuration.md has them."""
    found = {}
    for part in page("docs/configuration.md").split("<!-- record: ")[1:]:
        name, _, rest = part.partition(" -->")
        table = rest.strip().split("\n\n")[0]
        cells = [row for row in rows(table) if row[0] != "key"]
        found[name] = {row[0].strip("`"): row[1] for row in cells}
        assert all(len(row) == 3 and row[2] for row in cells), name
    return found


DOCUMENTED = documented()


def test_every_record_is_documented() -> None:
    """docs/configuration.md has a table for each record, and none for what is gone."""
    assert set(DOCUMENTED) == set(RECORDS)


@pytest.mark.parametrize("name", RECORDS)
def test_every_setting_is_documented(name: str) -> None:
    """Each key stands in its record's table, with its default as YAML would say it."""
    assert set(DOCUMENTED[name]) == set(RECORDS[name].yaml_keys())
    wrong = {}
    for attribute, field in RECORDS[name].model_fields.items():
        said = DOCUMENTED[name][field.alias or attribute]
        if not says_default(field, said):
            wrong[attribute] = (said, field.default)
    assert wrong == {}


def says_default(field: FieldInfo, said: str) -> bool:
    is_record = next(models_of(field.annotation), None) is not None or field.default_factory
    if field.default is PydanticUndefined and not field.default_factory:
        return said == "required" or (said == "–" and bool(is_record))
    if field.default is None:
        return said == "none"
    if is_record:
        return said == "–"
    kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return bool(TypeAdapter(kind).validate_python(_yaml(said)) == field.default)


def _yaml(text: str) -> Any:
    value = yaml.safe_load(text)
    return text if isinstance(value, bool) and text not in ("true", "false") else value


def test_every_hook_is_documented() -> None:
    """docs/hooks.md has each hook that fires, of the kind that it is."""
    table = {row[0]: row[1] for row in rows(page("docs/hooks.md")) if row[0] != "hook"}
    told = {re.sub(r"[`(].*", "", name.strip("`")): kind for name, kind in table.items()}
    expected = dict.fromkeys(DECIDING, "deciding") | dict.fromkeys(OBSERVING, "observing")
    assert told == expected


def reply_headers() -> set[str]:
    """Every header that replies get from the gateway itself."""
    refusal = GatewayError(Cause.INVALID_REQUEST, "", retry_after=1.0)
    made = {*render(refusal, "openai")[1], "x-request-id", "request-id"} - {"content-type"}
    standing = Standing(limit=1, remaining=1, reset=1.0)
    made |= set(rate_limit_headers({REQUESTS: standing, TOKENS: standing}))
    delivery = page("llmitm/engine/delivery.py")
    return made | set(re.findall(r'append\(\(b"([a-z-]+)"', delivery))


def test_every_reply_header_is_documented() -> None:
    """docs/api.md has each header, and none that isn't sent."""
    section = page("docs/api.md").split("## Reply headers")[1].split("\n## ")[0]
    told = {name for row in rows(section) for name in re.findall(r"`([a-z-]+)`", row[0])}
    assert told == reply_headers()


def admin_routes() -> set[tuple[str, str]]:
    """The methods and paths that the admin API's handlers are registered for."""
    found = set()
    for path in sorted((ROOT / "llmitm/admin").glob("*.py")):
        if path.stem != "front":
            for method, route in re.findall(r'add_(get|post|delete)\("([^"]+)"', path.read_text()):
                found |= {(method.upper(), each) for each in spelled_out(route)}
    return found


def spelled_out(route: str) -> list[str]:
    """`/x/{a:one|two}` as `/x/one` and `/x/two`."""
    choice = re.search(r"\{\w+:([^}]+)\}", route)
    if choice is None:
        return [route]
    return [route.replace(choice[0], word) for word in choice[1].split("|")]


def test_every_admin_request_is_documented() -> None:
    """docs/api.md has each request of the admin API, and none that isn't there."""
    section = page("docs/api.md").split("## Admin API")[1]
    asked = (found for row in rows(section) for found in re.findall(r"`([A-Z]+) (/\S+)`", row[0]))
    assert set(asked) == admin_routes()


def test_open_paths_are_told() -> None:
    """What needs no token is told."""
    section = page("docs/api.md").split("## Admin API")[1].split("|")[0]
    assert set(re.findall(r"`(/\S+)`", section)) == set(server.OPEN_PATHS)


PAGES = sorted(
    str(p.relative_to(ROOT))
    for p in [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("benchmarks/*.md")]
)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


@pytest.mark.parametrize("name", PAGES)
def test_links_resolve(name: str) -> None:
    """A link to a file of the project leads to one."""
    targets = [link[0] for link in LINK.findall(page(name)) if "://" not in link[0]]
    broken = [t for t in targets if not (ROOT / name).parent.joinpath(t).exists()]
    assert broken == []


def test_every_page_can_be_found() -> None:
    """Each page of docs/ is linked from the README or from another page."""
    linked = {
        (ROOT / name).parent.joinpath(link[0]).resolve()
        for name in PAGES
        for link in LINK.findall(page(name))
        if "://" not in link[0]
    }
    assert [p.name for p in DOCS.glob("*.md") if p not in linked] == []


def test_decisions_are_numbered() -> None:
    """Decisions are numbered from 1 on, without gaps, and their titles have their numbers."""
    files = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [file.name.partition("-")[0] for file in files]
    assert numbers == [f"{n:03}" for n in range(1, len(files) + 1)]
    for number, file in zip(numbers, files, strict=True):
        assert file.read_text().startswith(f"# {number}: "), file.name


def test_changelog() -> None:
    """The changelog has what is yet to be released on top."""
    text = page("CHANGELOG.md")
    assert re.search(r"^## \[(.+)\]", text, re.MULTILINE)[1] == "Unreleased"  # type: ignore[index]
    assert "### Added" in text
