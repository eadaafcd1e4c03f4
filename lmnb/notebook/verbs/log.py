"""What happens in the server, as it happens: `log stream`."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace
from contextlib import closing
from datetime import datetime
from typing import Any

from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.options import UsageMistake, option
from lmnb.notebook.verbs.verb import Verb

SOURCES = ("model", "server", "runtime")
KINDS = ("input", "output")


def kinds(text: str) -> str:
    """An argparse type: `input`, `output`, or both between commas."""
    words = [word.strip() for word in text.split(",")]
    if not set(words) <= set(KINDS):
        raise ArgumentTypeError(f"{text!r} is not input, output or input,output")
    return ",".join(words)


def stream(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Until it is interrupted, which is how it ends well."""
    if arguments.source != "model" and (arguments.stats or arguments.filter):
        raise UsageMistake("--stats and --filter go with --source model.")
    asked = {"stream": "true", "source": arguments.source}
    asked |= {"filter": arguments.filter} if arguments.filter else {}
    asked |= {"model": arguments.model} if arguments.model else {}
    screen.say("Streaming logs. Interrupt to stop.\n")
    try:
        with closing(client.events("api/v1/log", asked)) as events:
            for event in events:
                if arguments.json:
                    print(json.dumps(event, ensure_ascii=False), flush=True)
                else:
                    print(_text(event, stats=arguments.stats), flush=True)
    except KeyboardInterrupt:
        return


def _text(event: dict[str, Any], *, stats: bool) -> str:
    data = event["data"]
    when = datetime.fromtimestamp(event["timestamp"] / 1000).strftime("%Y-%m-%d %H:%M:%S")
    if data["type"] == "server.log":
        return f"{when} {data['content']}"
    if data["type"] == "runtime.log":
        whose = data.get("modelIdentifier") or f"process {data.get('pid')}"
        return f"{when} [{whose}] {data['message']}"
    shown = [f"timestamp: {when}", f"type: {data['type']}"]
    shown.append(f"modelIdentifier: {data['modelIdentifier']}")
    if data["type"] == "llm.prediction.input":
        shown += [f"modelPath: {data['modelPath']}", "input:", data["input"]]
    else:
        shown += ["output:", data["output"]]
        shown += [f"{name}: {value}" for name, value in data["stats"].items()] if stats else []
    return "\n".join(shown) + "\n"


VERBS = (
    Verb(
        "log stream",
        "Show what models are sent and say, requests, or engines' messages.",
        (
            option("-s", "--source", choices=SOURCES, default="model", help="model if not said"),
            option("--filter", type=kinds, metavar="input,output", help="one side of it only"),
            option("--model", completes="loaded", metavar="NAME", help="of one model only"),
            option("--stats", action="store_true", help="speed and counts with each answer"),
            option("--json", action="store_true", help="a line of JSON for each"),
        ),
        stream,
    ),
)
