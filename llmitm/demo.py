"""`llmitm demo`: a gateway in front of the simulator, a few real calls, and what it saw of them."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from llmitm import logs
from llmitm.call import CallRecord, call_of
from llmitm.config.load import Loaded, load
from llmitm.master import GatewayMaster, StartupError, run_until_signalled

KEY = "sk-demo"
MODEL = "gpt-4o-mini"
QUESTION = '{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hi"}]}'

_GATEWAY = """\
listen:
  gateway: 127.0.0.1:{port}
  admin: 127.0.0.1:{admin}
  inspector: 127.0.0.1:{inspector}
auth: required
providers:
  flaky: {{api: simulator}}
  steady: {{api: simulator}}
store: {{ledger: "sqlite:///{ledger}", shared: memory}}
policies: policies
"""
_POLICIES = {
    "keys": "users: [{id: ava, name: Ava}]\nkeys: [{id: demo, key: sk-demo, user: ava}]\n",
    "routes": """\
routes:
  - {model: gpt-4o-mini, targets: [{provider: steady}]}
  - model: unreliable
    targets: [{provider: flaky, model: gpt-4o@503}, {provider: steady, model: gpt-4o}]
""",
    "prices": """\
prices:
  - {provider: steady, model: "*", input_per_million: 0.15, output_per_million: 0.60}
  - {provider: flaky, model: "*", input_per_million: 0.15, output_per_million: 0.60}
""",
}


class Seen:
    """An addon that keeps the records of ended calls, for the table."""

    def __init__(self) -> None:
        self.records: list[CallRecord] = []

    def call_end(self, flow: object) -> None:
        record = call_of(flow).record  # type: ignore[arg-type]
        if record is not None:
            self.records.append(record)


def configured(directory: Path, port: int, admin: int, inspector: int) -> Loaded:
    """The demo's configuration, written to `directory` where it can be read and edited."""
    (directory / "policies").mkdir(exist_ok=True)
    for name, text in _POLICIES.items():
        (directory / "policies" / f"{name}.yaml").write_text(text)
    path = directory / "gateway.yaml"
    path.write_text(
        _GATEWAY.format(port=port, admin=admin, inspector=inspector, ledger=directory / "demo.db")
    )
    return load(path, os.environ)


async def run(port: int, admin: int, inspector: int, *, serve: bool, console: Console) -> None:
    """Start, call, tell, and keep serving unless `serve` is off."""
    with tempfile.TemporaryDirectory(prefix="llmitm-demo-") as folder:
        loaded = configured(Path(folder), port, admin, inspector)
        logs.configure("error", "console")
        master = GatewayMaster(loaded, os.environ)
        seen = Seen()
        master.observers.append(seen)
        serving = asyncio.create_task(run_until_signalled(master))
        ready = asyncio.create_task(master.ready.wait())
        await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            raise StartupError("the gateway stopped before it was ready")
        url = "http://{}:{}".format(*master.address)
        await asyncio.to_thread(make_calls, f"{url}/v1", console)
        console.print(calls_table(seen.records))
        # Lines to be copied: as they are, however wide the terminal is.
        console.print(what_next(url, master, Path(folder)), soft_wrap=True, highlight=False)
        if not serve:
            master.should_exit.set()
        await serving


def make_calls(base_url: str, console: Console) -> None:
    """What an application does, with OpenAI's own SDK."""
    try:
        from openai import OpenAI
    except ImportError as fault:
        raise click.ClickException("The demo needs OpenAI's SDK: pip install openai") from fault
    client = OpenAI(base_url=base_url, api_key=KEY)
    console.print("[bold]1. A question[/bold]")
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "What is a gateway?"}]
    )
    console.print(f"   {answer.choices[0].message.content}")
    console.print("[bold]2. The same, streamed[/bold]\n   ", end="")
    stream = client.chat.completions.create(
        model=MODEL, stream=True, messages=[{"role": "user", "content": "Tell me a story."}]
    )
    for chunk in stream:
        console.print((chunk.choices and chunk.choices[0].delta.content) or "", end="")
    console.print("\n[bold]3. A model whose first provider is down[/bold]")
    saved = client.chat.completions.create(
        model="unreliable", messages=[{"role": "user", "content": "Still there?"}]
    )
    console.print(f"   {saved.choices[0].message.content}\n")


def calls_table(records: Sequence[CallRecord]) -> Table:
    table = Table(title="What the gateway saw", title_justify="left")
    table.add_column("asked", overflow="fold")
    for name in ("tokens", "cost USD", "first token", "total"):
        table.add_column(name, justify="right", no_wrap=True)
    for record in records:
        asked = " → ".join(
            f"{a.target}{'' if a.error is None else f' ({a.status or a.error})'}"
            for a in record.attempts
        )
        first = "" if record.ttft_ms is None else f"{record.ttft_ms:.1f} ms"
        table.add_row(
            asked,
            f"{record.prompt_tokens} + {record.completion_tokens}",
            f"{record.cost_usd:f}" if record.cost_usd is not None else "unknown",
            first,
            f"{record.duration_ms:.1f} ms",
        )
    return table


def what_next(url: str, master: GatewayMaster, folder: Path) -> str:
    admin = "http://{}:{}".format(*master.admin_address)
    inspector = "{}:{}".format(*(master.runtime.inspector or ("", 0)))
    return f"""\

Point your SDK at it:  OpenAI(base_url="{url}/v1", api_key="{KEY}")
                       Anthropic(base_url="{url}", api_key="{KEY}")
                       ollama.Client("{url}", headers={{"Authorization": "Bearer {KEY}"}})
Or by hand:            curl -N {url}/v1/chat/completions -H "Authorization: Bearer {KEY}" \\
                         -d '{QUESTION}'
Inspection UI:         http://{inspector}
Metrics:               {admin}/metrics
Targets and circuits:  {admin}/admin/targets
Policies to edit live: {folder}/policies
Stop with Ctrl-C."""
