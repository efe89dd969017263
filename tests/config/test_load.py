from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmitm.config.load import load, load_policies
from llmitm.config.problems import ConfigErrors
from tests.config.configuration import Configuration

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent


def test_finds_every_problem_at_once(good: Configuration) -> None:
    """Faults of several kinds in several files are all said, by file and line."""
    good.edit("gateway.yaml", "auth: required", "auth: maybe\nworkers: 2")
    good.edit("gateway.yaml", "${OPENAI_API_KEY}", "${NONE}")
    good.edit("gateway.yaml", "admin: 127.0.0.1:4001", "admin: 127.0.0.1:4000")
    good.edit("policies/keys.yaml", "user: ava", "usr: ava")
    good.edit("policies/keys.yaml", "per: day", "per: daily")
    good.write("policies/prices.yaml", "prices: [\n")
    good.edit("policies/resilience.yaml", "attempts: 4", "attempts: many")
    good.edit("policies/routes.yaml", "provider: openai,", "provider: opnai,")
    good.env["LLM_TIMEOUT"] = "soon"

    assert [problem.partition(" ")[0] + problem.split(" ")[1] for problem in good.problems()] == [
        "environment:LLM_TIMEOUT:",
        "gateway.yaml:3:listen.admin:",
        "gateway.yaml:5:auth:",
        "gateway.yaml:6:workers:",
        "gateway.yaml:12:providers.openai.api_key:",
        "policies/keys.yaml:8:keys[0].usr:",
        "policies/keys.yaml:12:keys[0].budgets[0].per:",
        "policies/prices.yaml:2:not",
        "policies/resilience.yaml:1:retry.attempts:",
        "policies/routes.yaml:8:routes[1].targets[0].provider:",
    ]


def test_missing_file(empty: Configuration) -> None:
    """A gateway.yaml that is not there is the one problem."""
    assert empty.problems() == ["gateway.yaml: no such file; create it, or name another one"]


def test_usual_policies_are_beside_config(empty: Configuration) -> None:
    """Without a word, policies are in ../policies, where they are."""
    shutil.copytree(HERE / "good/policies", empty.directory / "policies")
    text = (HERE / "good/gateway.yaml").read_text().replace("policies: policies\n", "")
    path = empty.write("config/gateway.yaml", text)
    loaded = load(path, empty.env)
    assert loaded.gateway.policies == empty.directory / "policies"
    assert len(loaded.policies.keys) == 1


def test_policies_may_be_missing(empty: Configuration) -> None:
    """Providers alone are enough: usual routes, no keys, the ledger in the data directory."""
    empty.write("gateway.yaml", "providers: {claude: {api: anthropic}}\n")
    loaded = empty.load()
    assert [route.model for route in loaded.policies.routes] == ["claude-*"]
    assert loaded.gateway.store.ledger == "sqlite:////home/ava/.local/share/llmitm/llmitm.db"
    assert loaded.gateway.policies is None


def test_routes_may_be_missing(good: Configuration) -> None:
    """Without routes.yaml the usual models have routes."""
    (good.directory / "policies/routes.yaml").unlink()
    (good.directory / "policies/limits.yaml").unlink()
    assert [target.name for target in good.route("gpt-4o").targets] == ["openai/*"]
    assert [target.name for target in good.route("local-small").targets] == ["local/*"]


@pytest.mark.parametrize("name", ["key.yaml", "keys.yml"])
def test_warns_of_files_that_are_not_read(good: Configuration, name: str) -> None:
    """A policy under a wrong name is not silently ignored."""
    good.write(f"policies/{name}", "keys: []\n")
    (warning,) = map(str, good.load().warnings)
    assert warning.startswith(f"policies/{name}: no policy has this name, it is not read")
    assert "did you mean keys.yaml?" in warning


def test_policies_load_alone(good: Configuration) -> None:
    """For a running gateway the policies are read again, against its providers."""
    loaded = good.load()
    good.edit("policies/logging.yaml", "warn", "debug")
    policies = load_policies(loaded.gateway, good.directory / "policies", good.env)
    assert policies.logging.level == "debug"
    assert {path.name for path in policies.files} == {
        f"{name}.yaml"
        for name in ("access", "keys", "limits", "logging", "prices", "resilience", "routes")
    }


def test_files_are_known(good: Configuration) -> None:
    """The configuration knows what it was read from, and the policies what they were."""
    good.write("openai.txt", "sk-1\n")
    good.edit("gateway.yaml", '"${OPENAI_API_KEY}"', "file:openai.txt")
    loaded = good.load()
    others = {path.name for path in set(loaded.files) - set(loaded.policies.files)}
    assert others == {"gateway.yaml", "openai.txt"}


def test_policies_alone_find_problems(good: Configuration) -> None:
    """A bad edit raises every problem, and names the files that may mend it."""
    gateway = good.load().gateway
    good.edit("policies/routes.yaml", "provider: openai,", "provider: opnai,")
    good.edit("policies/keys.yaml", '"${DEV_KEY}"', "file:missing")
    with pytest.raises(ConfigErrors) as caught:
        load_policies(gateway, good.directory / "policies", good.env)
    assert len(caught.value.problems) == 2
    assert good.directory / "policies/missing" in caught.value.files
    with pytest.raises(ConfigErrors, match="there is no such directory"):
        load_policies(gateway, good.directory / "gone", good.env)


def test_examples_load() -> None:
    """The configuration that the project ships has no problem and no warning."""
    loaded = load(ROOT / "config/gateway.yaml", {"LLMITM_DEV_KEY": "sk-test-0123456789"})
    assert loaded.warnings == ()
    assert [key.id for key in loaded.policies.keys] == ["dev"]


def test_examples_name_the_variable_they_need() -> None:
    """What an example needs is the one thing it asks for."""
    with pytest.raises(ConfigErrors) as caught:
        load(ROOT / "config/gateway.yaml", {})
    (problem,) = caught.value.problems
    assert "LLMITM_DEV_KEY is not set" in problem.message


def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a YAML value."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
    return [where, *(p for key, item in items for p in places(item, (*where, key)))]


FILES = sorted(str(p.relative_to(HERE / "good")) for p in (HERE / "good").rglob("*.yaml"))
VALUES = {name: yaml.safe_load((HERE / "good" / name).read_text()) for name in FILES}
PLACES = [(name, where) for name in FILES for where in places(VALUES[name])]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70000),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["${DEV_KEY}", "file:x", "0.0.0.0:4000", "*", "openai", "local-small", "[", "1s"]
    ),
    st.lists(st.sampled_from(["a", 1, None, {}]), max_size=2),
    st.dictionaries(st.sampled_from(["id", "key", "model", "x"]), st.integers(), max_size=2),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(PLACES), JUNK)
def test_no_value_breaks_the_loader(good: Any, place: Any, junk: Any) -> None:
    """Whatever stands anywhere, the configuration loads or gives problems, without a secret."""
    name, where = place
    value = yaml.safe_load((HERE / "good" / name).read_text())
    holder = {"": value}
    here: Any = holder
    steps = ("", *where)
    for step in steps[:-1]:
        here = here[step]
    here[steps[-1]] = junk
    good.write(name, yaml.safe_dump(holder[""], allow_unicode=True))
    try:
        said = faults(good)
    finally:
        shutil.copy(HERE / "good" / name, good.directory / name)
    assert said is None or (said and "canary" not in said)


def faults(configuration: Any) -> str | None:
    """What is wrong with a configuration, or None."""
    try:
        configuration.load()
    except ConfigErrors as errors:
        return str(errors)
    return None
