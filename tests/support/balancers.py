"""The load balancers of deploy/load-balancers/, run on the files there with other addresses."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.tools import ROOT, tool

FOLDER = ROOT / "deploy" / "load-balancers"
START_SECONDS = 60
STOP_SECONDS = 30

Command = Callable[[str, Path], list[str]]


@dataclass(frozen=True)
class Kind:
    """One load balancer: its file, and how it checks and runs a copy of it."""

    name: str
    file: str
    check: Command
    run: Command
    adapt: Callable[[str, Path], str] = lambda text, _folder: text


def _whole_nginx(text: str, folder: Path) -> str:
    """The file goes inside of http { } of a configuration that needs no root."""
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi")
    ) + "".join(f"{name}_temp_path {folder}/{name};" for name in ("uwsgi", "scgi"))
    head = f"daemon off; master_process off; pid {folder}/pid; error_log stderr;"
    return f"{head} events {{}} http {{ access_log off; {paths}\n{text}\n}}"


def _own_certificate(text: str, folder: Path) -> str:
    """Caddy would ask for a certificate of its own, and listen for that."""
    block = f"tls {folder}/fullchain.pem {folder}/privkey.pem\n"
    body = re.sub(r"^(https://\S+) \{$", rf"\1 {{\n\t{block}", text, flags=re.MULTILINE)
    return f"{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{body}"


def _nginx(*more: str) -> Command:
    return lambda path, config: [path, "-p", str(config.parent), "-c", str(config), *more]


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("nginx", "nginx.conf", _nginx("-t"), _nginx(), _whole_nginx),
        Kind(
            "haproxy",
            "haproxy.cfg",
            lambda path, config: [path, "-c", "-f", str(config)],
            lambda path, config: [path, "-db", "-f", str(config)],
        ),
        Kind(
            "caddy",
            "Caddyfile",
            lambda path, config: [path, "validate", "--adapter=caddyfile", f"--config={config}"],
            lambda path, config: [path, "run", "--adapter=caddyfile", f"--config={config}"],
            _own_certificate,
        ),
        Kind(
            "envoy",
            "envoy.yaml",
            lambda path, config: [path, "--mode", "validate", "-c", str(config)],
            lambda path, config: [
                *(path, "-c", str(config), "--concurrency", "1", "--disable-hot-restart"),
                *("--log-level", "error"),
            ],
        ),
    )
}


def trusting(folder: Path) -> ssl.SSLContext:
    """What trusts the certificate in `folder`. Clients change it: each needs one of its own."""
    return ssl.create_default_context(cafile=str(folder / "fullchain.pem"))


def certificate(folder: Path) -> None:
    """Writes a certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "fullchain.pem").write_bytes(chain)
    (folder / "privkey.pem").write_bytes(private)
    (folder / "haproxy.pem").write_bytes(chain + private)


def adapted(kind: Kind, folder: Path, port: int, gateway: int, admin: int, closed: int) -> Path:
    """A copy of the file: its first gateway is a real one, at its second nobody listens."""
    text = (FOLDER / kind.file).read_text()
    for before, after in (
        ("gateway-1:4000", f"127.0.0.1:{gateway}"),
        ("gateway-2:4000", f"127.0.0.1:{closed}"),
        ("address: gateway-1, port_value: 4000", f"address: 127.0.0.1, port_value: {gateway}"),
        ("address: gateway-2, port_value: 4000", f"address: 127.0.0.1, port_value: {closed}"),
        ("4001", str(admin)),
        ("/etc/llmitm/tls", str(folder)),
        ("maxconn 20000", "maxconn 200"),  # more needs more open files than a test may have
        ("address: 0.0.0.0, port_value: 443", f"address: 127.0.0.1, port_value: {port}"),
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("bind :443 ", f"bind 127.0.0.1:{port} "),
        ("\nllm.example.com {", f"\nhttps://127.0.0.1:{port} {{"),
    ):
        text = text.replace(before, after)
    path = folder / kind.file
    path.write_text(kind.adapt(text, folder))
    return path


def checked(kind: Kind, config: Path) -> subprocess.CompletedProcess[str]:
    """What the program itself says of the file."""
    command = kind.check(tool(kind.name), config)
    env = {"HOME": str(config.parent), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@contextmanager
def running(kind: Kind, config: Path, port: int) -> Iterator[None]:
    """The load balancer, listening."""
    log = config.parent / "output.log"
    env = {"HOME": str(config.parent), "PATH": "/usr/bin:/bin"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            kind.run(tool(kind.name), config), stdout=output, stderr=output, env=env
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
