"""`gateway`: a mitmproxy proxy mode whose HTTP is ours.

Both classes register themselves with mitmproxy by being subclasses, so `--mode gateway@…`
is parsed, started, stopped and listed like any of mitmproxy's own modes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from mitmproxy import ctx
from mitmproxy.proxy import context, layer, mode_servers, mode_specs

if TYPE_CHECKING:
    from llmitm.engine.edge import Edge


INNER = "inner"
INNER_SPEC = "gateway:inner"
_LOCAL_NEEDS = "it needs root or sudo, and on Linux a kernel of 6.8 or newer with cgroup v2"


class Listens(Protocol):
    """The part of the master that a gateway listener needs."""

    def edge(self) -> Edge: ...

    @property
    def tls(self) -> Any: ...

    @property
    def reuse_port(self) -> bool: ...


class GatewayMode(mode_specs.ProxyMode):
    """An OpenAI-, Anthropic- and Ollama-compatible listener: `gateway@127.0.0.1:4000`.

    `gateway:inner` is for requests that come from other modes of this process: it has no TLS.
    """

    description = "LLM gateway"
    default_port = 4000
    transport_protocol: Literal["tcp"] = "tcp"

    def __post_init__(self) -> None:
        if self.data not in ("", INNER):
            raise ValueError("gateway takes no argument: write gateway@HOST:PORT")

    @property
    def inner(self) -> bool:
        return self.data == INNER

    def listen_port(self, default: int | None = None) -> int | None:
        """The port; None where the system chooses one, so that no two of those clash."""
        return None if self.inner else super().listen_port(default) or None


class GatewayInstance(mode_servers.ServerInstance[GatewayMode]):
    """One listening socket of the gateway mode."""

    _server: asyncio.Server | None = None
    _edge: Edge | None = None

    @property
    def is_running(self) -> bool:
        return self._server is not None

    @property
    def listen_addrs(self) -> tuple[Any, ...]:
        return tuple(s.getsockname() for s in self._server.sockets) if self._server else ()

    async def _start(self) -> None:
        master = cast(Listens, ctx.master)
        host = self.mode.listen_host() or "127.0.0.1"
        port = self.mode.listen_port()
        self._edge = master.edge()
        tls, reuse_port = (None, False) if self.mode.inner else (master.tls, master.reuse_port)
        self._server = await self._edge.listen(host, port or 0, tls=tls, reuse_port=reuse_port)

    async def _stop(self) -> None:
        if self._server:
            self._server.close()
            self._server = None

    def make_top_layer(self, context: context.Context) -> layer.Layer:
        raise NotImplementedError("the gateway mode does its own HTTP")


def failure(server: mode_servers.ServerInstance[Any]) -> str:
    """Why a listener could not start, without the stack of the program that says so."""
    said = " ".join(str(server.last_exception).partition("Stack backtrace")[0].split())
    return f"{said}; {_LOCAL_NEEDS}" if server.mode.type_name == "local" else said
