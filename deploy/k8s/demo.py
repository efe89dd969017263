"""One call to the gateway from inside of its pod: `make demo-k8s` pipes this to its Python."""

from __future__ import annotations

import json
import os
import sys
import urllib.request

URL = os.environ.get("DEMO_URL", "http://127.0.0.1:4000")


def main() -> None:
    messages = [{"role": "user", "content": "Hello from the cluster"}]
    body = {"model": "sim-small", "messages": messages}
    request = urllib.request.Request(  # noqa: S310 -- always http
        f"{URL}/v1/chat/completions",
        json.dumps(body).encode(),
        {
            "authorization": f"Bearer {os.environ['LLMITM_DEV_KEY']}",
            "content-type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
        answer = json.load(reply)
        target, cost = reply.headers["x-llmitm-target"], reply.headers["x-llmitm-cost-usd"]
    text, usage = answer["choices"][0]["message"]["content"], answer["usage"]
    sys.stdout.write(f"{text}\n\nby {target}, {usage['total_tokens']} tokens, {cost} USD\n")


if __name__ == "__main__":
    main()
