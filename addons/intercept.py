"""Proxy mode: sends what other modes receive for LLM hosts to the gateway.

It sees the flows of mitmproxy's own modes only. A redirected request is a call of the gateway
like any other: what it presents as its API key is a virtual key of the gateway.
"""

from __future__ import annotations

import logging

from mitmproxy import http, tcp, tls, udp
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import server_hooks

from llmitm.proxy_hosts import LlmHost, gateway_path, llm_hosts
from llmitm.runtime import runtime

logger = logging.getLogger(__name__)

REFUSED = b"This proxy is for the APIs of language models: see intercept in gateway.yaml.\n"
DNS_PORT = 53


class Intercept:
    def load(self, loader: Loader) -> None:
        live = runtime()
        self.hosts = llm_hosts(live.gateway, live.targets.base_urls)
        self.refuse = live.gateway.intercept.other_hosts == "refuse"

    def http_connect(self, flow: http.HTTPFlow) -> None:
        if self.refuse and self.find(flow) is None:
            self.say_no(flow)

    def tls_clienthello(self, data: tls.ClientHelloData) -> None:
        """Let what isn't ours pass unread; where it is refused, TLS is needed to say so."""
        address = data.context.server.address
        host, port = address[:2] if address else ("", 443)
        names = (host, data.client_hello.sni)
        ours = any(self.hosts.find(name, port) for name in names if name)
        data.ignore_connection = not ours and not self.refuse

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        host = self.find(flow)
        inner = runtime().proxy.inner
        if host is not None and inner is not None:
            redirect(flow, host, inner)
        elif self.refuse:
            self.say_no(flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            flow.response.stream = True

    def server_connect(self, data: server_hooks.ServerConnectionHookData) -> None:
        """Allow the way into the gateway, and no other into this process."""
        proxy, address = runtime().proxy, data.server.address
        if address is not None and address[:2] == proxy.inner:
            data.server.error = None  # mitmproxy takes it for a loop
        elif address is not None and address[1] in proxy.private_ports:
            # Whatever the host: a name may resolve to this machine.
            data.server.error = "This proxy does not lead to the gateway's other listeners."

    def server_connected(self, data: server_hooks.ServerConnectionHookData) -> None:
        proxy, server = runtime().proxy, data.server
        if server.address == proxy.inner and server.sockname:
            proxy.clients[server.sockname[:2]] = str(data.client.peername[0])

    def server_disconnected(self, data: server_hooks.ServerConnectionHookData) -> None:
        if data.server.sockname:
            runtime().proxy.clients.pop(data.server.sockname[:2], None)

    def tcp_start(self, flow: tcp.TCPFlow) -> None:
        if self.refuse:
            flow.kill()

    def udp_start(self, flow: udp.UDPFlow) -> None:
        address = flow.server_conn.address
        if self.refuse and not (address and address[1] == DNS_PORT):
            flow.kill()

    def find(self, flow: http.HTTPFlow) -> LlmHost | None:
        """The LLM host that a request is for; transparent modes know its name from TLS only."""
        request = flow.request
        names = (request.host, flow.client_conn.sni, request.pretty_host)
        found = (self.hosts.find(name, request.port) for name in names if name)
        return next((host for host in found if host is not None), None)

    def say_no(self, flow: http.HTTPFlow) -> None:
        logger.info("intercept: refused %s", flow.request.pretty_host)
        flow.response = http.Response.make(403, REFUSED, {"content-type": "text/plain"})


def redirect(flow: http.HTTPFlow, host: LlmHost, inner: tuple[str, int]) -> None:
    """Point a request at the gateway. Its body, and the answer's, pass as they come."""
    request = flow.request
    request.scheme = "http"
    request.host, request.port = inner
    request.path = gateway_path(request.path, host)
    request.stream = True


addons = [Intercept()]
