"""API keys: `key create`, `key ls`, `key rm`."""

from __future__ import annotations

from argparse import ArgumentTypeError, Namespace
from typing import Any
from urllib.parse import quote

from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.tables import UNKNOWN, JsonDict, JsonList, Table
from lmnb.notebook.options import option
from lmnb.notebook.verbs.verb import JSON, Verb

PERMISSIONS = ("use", "manage", "admin")
SPANS = {"m": 60, "h": 3600, "d": 24 * 3600}


def span(text: str) -> int:
    """An argparse type: seconds, from `30m`, `12h` or `90d`."""
    number, unit = text[:-1], text[-1:].lower()
    if unit not in SPANS or not number.isdecimal() or int(number) == 0:
        raise ArgumentTypeError(f"{text!r} is not a time like 30m, 12h or 90d")
    return int(number) * SPANS[unit]


def create(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """A new key. This is the only time that anybody sees it."""
    body = {"name": arguments.name, "permissions": arguments.permissions or ["use"]}
    body |= {"expires_in": arguments.expires} if arguments.expires else {}
    key = client.json("POST", "api/v1/keys", body)
    if arguments.json:
        return JsonDict(key)
    screen.write(key["key"])
    screen.say("Keep it: it is not shown again.")
    return None


def ls(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """The keys, without what makes them keys."""
    keys = client.json("GET", "api/v1/keys")["keys"]
    if arguments.json:
        return JsonList(keys)
    if not keys:
        screen.say(f"No API keys. `{screen.program} key create NAME` makes one.")
        return None
    rows = [
        [key["id"], key["name"], ", ".join(key["permissions"]), *map(_day, _times(key))]
        for key in keys
    ]
    screen.show(Table(("ID", "NAME", "MAY", "CREATED", "EXPIRES", "LAST USED"), rows))
    return None


def _times(key: dict[str, Any]) -> list[str | None]:
    return [key["created_at"], key["expires_at"], key["last_used"]]


def _day(moment: str | None) -> str:
    return moment[:16].replace("T", " ") if moment else UNKNOWN


def rm(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Revoke a key: it is refused from now on."""
    client.json("DELETE", f"api/v1/keys/{quote(arguments.id, safe='')}")
    screen.say(f"The key {arguments.id} is revoked.")


VERBS = (
    Verb(
        "key create",
        "Make an API key.",
        (
            option("name", help="whose it is, or what for"),
            option(
                "--permissions",
                nargs="+",
                choices=PERMISSIONS,
                help="use (the default): ask models. manage: load, download, delete, read the log. "
                "admin: keys and ports",
            ),
            option("--expires", type=span, metavar="TIME", help="30m, 12h, 90d: not after that"),
            JSON,
        ),
        create,
    ),
    Verb("key ls", "List the API keys.", (JSON,), ls),
    Verb("key rm", "Revoke an API key.", (option("id", help="as `key ls` lists it"),), rm),
)
