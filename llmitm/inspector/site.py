"""The UI's web server: mitmweb's pages and handlers, on the calls of this gateway."""

from __future__ import annotations

import hmac
import logging
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import tornado.web
from mitmproxy import flow as mitm_flow
from mitmproxy.tools.web import app
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets, bind_unix_socket

from llmitm.config.address import Address
from llmitm.inspector import page
from llmitm.inspector.desk import Desk
from llmitm.inspector.live import Live

logger = logging.getLogger(__name__)

Rule = tuple[str, type[tornado.web.RequestHandler]]
MAX_UPLOAD = 256 << 20  # bytes of a file of flows
# A page of another site whose name resolves to this machine must not read what is shown here.
LOCAL_NAMES = r"(?:localhost|127\.0\.0\.1|\[?::1\]?)"
# mitmweb can list the programs of this machine and their icons; nobody needs that here.
_KILL = r"/flows/(?P<flow_id>[0-9a-f\-]+)/kill"
_LEFT_OUT = (r"/processes", r"/executable-icon", r"/updates", r"/", _KILL)


class Index(app.IndexHandler):
    """mitmweb's page, a little changed."""

    def get(self) -> None:
        _ = self.xsrf_token  # reading it sets the cookie that changes must repeat
        self.write(page.page(self.render_string("../index.html").decode()))

    post = get  # the log-in form


class PageStyle(app.RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Type", "text/css")
        self.write(page.style())


class PageScript(app.RequestHandler):
    def get(self, name: str) -> None:
        try:
            script = page.script(name)
        except OSError:
            raise app.APIError(404, "There is no such script.") from None
        self.set_header("Content-Type", "text/javascript")
        self.write(script)


class Kill(app.RequestHandler):
    """Ends a call. mitmweb's own ends held ones only."""

    def post(self, flow_id: str) -> None:
        cast(Desk, self.master).kill(self.flow)


class Updates(app.ClientConnection):
    """A browser that is told of every change."""

    behind = False

    @property
    def live(self) -> Live:
        return cast(Live, self.application.settings["live"])

    @property
    def queued(self) -> int:
        return self._send_queue.qsize()

    def open(self, *args: str, **kwargs: str) -> None:
        super().open(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.live.connected(self)

    def on_close(self) -> None:
        super().on_close()  # type: ignore[no-untyped-call]
        self.live.gone(self)

    def send_flow(self, kind: Any, flow: mitm_flow.Flow, fields: dict[str, Any]) -> None:
        self._broadcast_flow(kind, flow, fields)

    def reset(self) -> None:
        """Have the browser read everything anew."""
        self.send(self._json_dumps({"type": "flows/reset"}))  # type: ignore[no-untyped-call]
        for name, expression in self.filters.copy().items():
            self.update_filter(name, expression.pattern)


def page_handlers() -> list[Rule]:
    """The page itself, without what it shows."""
    return [
        (r"/", Index),
        (r"/page\.css", PageStyle),
        (rf"/static/({page.SCRIPT})", PageScript),
    ]


class Application(app.Application):
    """mitmweb's application without its own log-in, which belongs to mitmweb's options.

    One that is not `guarded` is reached by a process that guards it.
    """

    def __init__(
        self,
        master: Any,
        handlers: Sequence[Rule],
        password: str | None,
        port: int,
        *,
        guarded: bool = True,
        **settings: Any,
    ) -> None:
        self.master = master
        tornado.web.Application.__init__(
            self,
            template_path=str(page.WEB / "templates"),
            static_path=str(page.WEB / "static"),
            xsrf_cookies=guarded,
            xsrf_cookie_name="_mitmproxy_xsrf",  # the page looks for it by this name
            xsrf_cookie_kwargs={"samesite": "Strict"},
            cookie_secret=secrets.token_bytes(32),
            transforms=[app.GZipContentAndFlowFiles],
            is_valid_password=lambda given: _matches(password, given),
            auth_cookie_name=lambda: f"llmitm-inspector-{port}",
            compiled_template_cache=False,
            log_function=lambda _: None,  # its lines would show the password of the log-in URL
            **settings,
        )
        names = LOCAL_NAMES if guarded and password is None else ".*"
        self.add_handlers(names, list(handlers))


class Site:
    """The listening inspector of one process.

    It listens on `address`, or where that is another process's on the Unix socket `path`, to
    which only this user's processes come.
    """

    def __init__(
        self,
        desk: Desk,
        live: Live,
        address: Address,
        password: str | None,
        path: Path | None = None,
    ) -> None:
        self._desk = desk
        self._live = live
        self._listen = address
        self._given = password
        self._path = path
        self._sockets: list[socket.socket] = []
        self._server: HTTPServer | None = None
        self.address = (address.host, address.port)

    @property
    def url(self) -> str:
        return f"http://{Address(*self.address)}/"

    def bind(self) -> None:
        """Take the address. Raises OSError where it can't be had."""
        if self._path is not None:
            self._sockets = [bind_unix_socket(str(self._path), mode=0o600)]
            return
        self._sockets = bind_sockets(self._listen.port, self._listen.host)
        self.address = self._sockets[0].getsockname()[:2]

    def start(self) -> None:
        """Serve on the address that was taken."""
        alone = self._path is None
        address = Address(*self.address)
        password = password_for(address, self._given) if alone else None
        handlers: list[Rule] = [rule for rule in app.handlers if rule[0] not in _LEFT_OUT]
        handlers += [*page_handlers(), (r"/updates", Updates), (_KILL, Kill)]
        application = Application(
            self._desk, handlers, password, address.port, guarded=alone, live=self._live
        )
        self._server = HTTPServer(application, max_buffer_size=MAX_UPLOAD)
        self._server.add_sockets(self._sockets)

    async def stop(self) -> None:
        self._live.stop()
        if self._server is not None:
            self._server.stop()
            for browser in list(self._live.browsers):
                cast(Updates, browser).close()
            await self._server.close_all_connections()


def password_for(address: Address, given: str | None) -> str | None:
    """The password to ask for; None where only this machine can reach the inspector."""
    if given:
        return given
    if address.is_loopback:
        return None
    token = secrets.token_urlsafe(24)
    logger.warning(
        "the inspector has no password (inspector.password in gateway.yaml). "
        "Until the next start: http://%s/?token=%s",
        address,
        token,
    )
    return token


def _matches(password: str | None, given: str) -> bool:
    return password is None or hmac.compare_digest(password.encode(), given.encode())
