"""How a model is loaded from now on, whoever loads it: `settings`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any
from urllib.parse import quote

from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.tables import JsonDict, Table
from lmnb.notebook.load_options import MODEL_OPTIONS, given
from lmnb.notebook.options import UsageMistake, option
from lmnb.notebook.verbs.models import find
from lmnb.notebook.verbs.verb import JSON, Verb


def settings(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """Show them; with load options, set those; with --unset and --reset, take away."""
    key = find(client, arguments.model)["key"]
    path = f"api/v1/models/settings/{quote(key, safe='/@:')}"
    found = client.json("GET", path)
    wanted = _wanted(found["settings"], arguments)
    if wanted != found["settings"]:
        found = client.json("PUT", path, wanted)
    if arguments.json:
        return JsonDict(found)
    effective, saved = found["effective"], found["settings"]
    rows = [
        [name, "" if value is None else str(value), "saved" if name in saved else ""]
        for name, value in effective.items()
        if arguments.all or name in saved
    ]
    if rows:
        screen.show(Table((key, "VALUE", ""), rows))
    else:
        screen.say(f"Nothing is set for {key}: it is loaded as the server is set. See --all.")
    if found["needs_reload"]:
        screen.say("What is loaded of it stays as it is. This applies at the next load.")
    return None


def _wanted(saved: dict[str, Any], arguments: Namespace) -> dict[str, Any]:
    """What shall be set then. Raises UsageMistake."""
    unset = {name.lstrip("-").replace("-", "_") for name in arguments.unset or ()}
    if unknown := unset - saved.keys():
        raise UsageMistake(f"Not set: {', '.join(sorted(unknown))}.")
    kept = {} if arguments.reset else {k: v for k, v in saved.items() if k not in unset}
    return kept | given(arguments, MODEL_OPTIONS)


VERBS = (
    Verb(
        "settings",
        "Show or change how a model is loaded, whoever loads it.",
        (
            option("model", completes="model", help="a name from `ls`"),
            *MODEL_OPTIONS,
            option("--unset", action="append", metavar="NAME", help="take one back"),
            option("--reset", action="store_true", help="take all back first"),
            option("--all", action="store_true", help="show what is not set too"),
            JSON,
        ),
        settings,
    ),
)
