"""What the parts of a running gateway share. Addons reach it through `runtime()`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from mitmproxy import ctx

from llmitm.scopes import Scopes

if TYPE_CHECKING:
    from pathlib import Path

    from llmitm.config.load import Loaded
    from llmitm.config.schema import Gateway, Policies
    from llmitm.engine.lifecycle import Lifecycle
    from llmitm.engine.upstream import Upstream
    from llmitm.keyring import Keyring
    from llmitm.metrics import Metrics
    from llmitm.prices import PriceBook
    from llmitm.stores.accounts import AccountStore
    from llmitm.stores.ledger import Ledger
    from llmitm.targets import Targets


SocketAddress = tuple[str, int]
# A worker's inspector listens beside its admin API, on a socket that ends with this.
INSPECTOR_SUFFIX = ".inspector"


@dataclass
class ProxyMode:
    """The way from mitmproxy's modes into the gateway.

    `inner` is where the redirected requests arrive, `private_ports` are where nobody may go
    through the proxy, `clients` the real client's IP for each redirected connection.
    """

    inner: SocketAddress | None = None
    private_ports: set[int] = field(default_factory=set)
    clients: dict[SocketAddress, str] = field(default_factory=dict)


@dataclass
class Runtime:
    """The gateway's live parts. `policies` is replaced as a whole when a policy file changes."""

    loaded: Loaded
    env: Mapping[str, str]
    policies: Policies
    upstream: Upstream
    targets: Targets
    prices: PriceBook
    metrics: Metrics
    ledger: Ledger
    keyring: Keyring
    limits: AccountStore
    budgets: AccountStore
    scopes: Scopes = field(default_factory=Scopes)
    lifecycle: Lifecycle | None = None
    proxy: ProxyMode = field(default_factory=ProxyMode)
    inspector: SocketAddress | None = None  # where the inspector listens
    inspector_socket: Path | None = None  # where it does in one worker of several

    @property
    def gateway(self) -> Gateway:
        return self.loaded.gateway


def runtime() -> Runtime:
    """The runtime of the gateway that is running the calling addon."""
    return cast("Runtime", getattr(ctx.master, "runtime"))  # noqa: B009 mitmproxy types a plain Master
