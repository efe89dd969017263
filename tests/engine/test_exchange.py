"""How a call goes on from target to target, seen from both ends."""

from __future__ import annotations

from pathlib import Path

from tests.support.rig import rigged
from tests.support.wire import reply


def test_bytes_are_of_one_target(tmp_path: Path) -> None:
    """Where bytes of one target's answer are out, none of another's are put behind them."""
    targets = [{"provider": "sim", "model": "a"}, {"provider": "sim", "model": "b"}]
    policies = {
        "routes": {"routes": [{"model": "voice", "targets": targets}]},
        "resilience": {"retry": {"attempts": 3, "base": 0.001}},
    }
    with rigged(tmp_path, policies) as rig:
        client = rig.post(b'{"model": "voice", "input": "hi"}', "/v1/audio/speech")
        peer, _ = rig.asked()
        peer.send(reply(200, b"", {"content-type": "audio/mpeg", "content-length": "6"}), b"one")
        assert client.head().status == 200
        assert client.chunk() == b"one"
        peer.close()
        assert client.closed()
        assert [a.target for a in rig.watcher.wait()[0].attempts] == ["sim/a"]
        rig.reset()
