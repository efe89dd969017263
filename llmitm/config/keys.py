"""`policies/keys.yaml`: keys, users and teams."""

from __future__ import annotations

from pydantic import Field

from llmitm.config.access import Params
from llmitm.config.limits import Budget, Limits
from llmitm.config.logging import Content
from llmitm.config.model import Model
from llmitm.config.secret import KeyDigest
from llmitm.config.values import Expiry, Glob, Money, Name


class Team(Model):
    """Users and keys that share limits and budgets."""

    id: Name
    name: str | None = None
    limits: Limits = Limits()
    budgets: tuple[Budget, ...] = ()


class User(Model):
    """Who a key belongs to."""

    id: Name
    name: str | None = None
    team: str | None = None
    limits: Limits = Limits()
    budgets: tuple[Budget, ...] = ()


class Key(Model):
    """A virtual key. In YAML its secret is `key`; only the SHA-256 of it is kept.

    `manage_models` lets it pull, create, copy, push and delete the models of Ollama servers.
    In a snapshot of the policies `team`, `limits`, `budgets` and `log_content` are completed from
    the user and the defaults.
    """

    id: Name
    digest: KeyDigest = Field(alias="key", repr=False)
    user: str | None = None
    team: str | None = None
    models: tuple[Glob, ...] = ("*",)
    limits: Limits = Limits()
    budgets: tuple[Budget, ...] = ()
    max_usd_per_call: Money | None = None
    params: Params = Field(default_factory=dict)
    manage_models: bool = False
    log_content: Content | None = None
    expires: Expiry | None = None
    enabled: bool = True


class KeysFile(Model):
    teams: tuple[Team, ...] = ()
    users: tuple[User, ...] = ()
    keys: tuple[Key, ...] = ()
