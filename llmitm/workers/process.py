"""One worker, as the supervisor sees it: started, spoken to, signalled, waited for."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Sequence

import msgspec

from llmitm.workers.channel import Channel, Failed, Job, Message, Ready, decode
from llmitm.workers.totals import Tally

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "llmitm.workers.worker")
COLLECT_SECONDS = 2.0  # how long a scrape waits for a worker that may hang
HURRY_SECONDS = 5.0  # what is left to a worker that was told twice to end
_LAST_WORDS_SECONDS = 1.0


class Worker:
    """One process. `failure` is why it could not begin."""

    def __init__(self, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.tally = Tally()
        self.ready = asyncio.Event()
        self.failure: str | None = None
        self.draining = False
        self._process = process
        self._channel = channel
        self._ready_since = 0.0
        self._asked = self._answered = 0
        self._silent = False
        self._news = asyncio.Condition()
        self._listening = asyncio.create_task(self._listen(), name=f"worker {self.pid}")

    @classmethod
    async def start(cls, command: Sequence[str] = COMMAND) -> Worker:
        """A process that waits for its job. Raises OSError where none can be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own: Ctrl-C goes to the supervisor, which tells the workers once.
            process = await asyncio.create_subprocess_exec(
                *command,
                str(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return cls(process, await Channel.open(ours))

    async def begin(self, job: Job) -> None:
        """Give it its job."""
        self.admin_socket = job.admin_socket
        await self._send(pickle.dumps(job))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def serving(self) -> bool:
        """Whether it accepts calls."""
        return self.ready.is_set() and not self.draining and self._process.returncode is None

    @property
    def served(self) -> float:
        """Seconds since it was ready; 0 if it never was."""
        return asyncio.get_running_loop().time() - self._ready_since if self._ready_since else 0.0

    async def ended(self) -> int:
        """Wait for its end and take in its last words. Returns its exit code; -N for signal N."""
        code = await self._process.wait()
        await asyncio.wait([self._listening], timeout=_LAST_WORDS_SECONDS)
        self._listening.cancel()
        self._channel.close()
        return code

    async def collect(self) -> None:
        """Bring `tally` up to date; where the worker doesn't answer, it stays as it was."""
        if self._silent:
            return
        self._asked += 1
        wanted = self._asked
        await self._send(b"")
        try:
            async with asyncio.timeout(COLLECT_SECONDS), self._news:
                await self._news.wait_for(lambda: self._silent or self._answered >= wanted)
        except TimeoutError:
            logger.warning("worker %d does not answer; its last numbers are shown", self.pid)

    def send_signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    def terminate(self) -> None:
        """Let it drain and end; a second time: end at once."""
        if self.draining:
            loop = asyncio.get_running_loop()
            loop.call_later(HURRY_SECONDS, self.send_signal, signal.SIGKILL)
        self.draining = True
        self.send_signal(signal.SIGTERM)

    async def _send(self, frame: bytes) -> None:
        try:
            await self._channel.send_frame(frame)
        except ConnectionError:
            return  # it died, which `ended` will tell

    async def _listen(self) -> None:
        try:
            async for frame in self._channel.frames():
                self._hear(decode(frame))
                await self._tell()
        except msgspec.DecodeError as fault:
            self.failure = f"was not understood, is of another version? {fault}"
            self.send_signal(signal.SIGKILL)
        self._silent = True
        await self._tell()

    def _hear(self, message: Message) -> None:
        match message:
            case Ready():
                self._ready_since = asyncio.get_running_loop().time()
                self.ready.set()
            case Failed(reason):
                self.failure = reason
            case report:
                self.tally.take(report)
                self._answered += report.answers

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
