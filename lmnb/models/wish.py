"""What a user types for a model that may be anywhere: a name, a repository, a file, an address.

| typed | means |
|---|---|
| `gemma-3-1b`, `gemma 3 1b`, `gemma3:1b` | a name to search for |
| `owner/repo` | a repository |
| `...@q4_k_m`, `...:Q4_K_M` | in that quantisation |
| `owner/repo/file.gguf` | that file, in folders or not |
| `hf.co/...`, `https://huggingface.co/...`, `hf://...` | the same as an address |
| `.../resolve/REVISION/file.gguf`, `.../blob/...`, `.../tree/REVISION` | at that revision |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import parse_qs, quote, unquote

from lmnb.errors import InvalidRequest
from lmnb.models.quant_names import is_quant, split_quant

__all__ = ["Wish", "parse_wish"]

MAX_LENGTH = 500
HOSTS = ("huggingface.co", "hf.co", "www.huggingface.co")
NO_OWNERS = ("datasets", "spaces", "collections", "models", "api", *HOSTS)
VIEWS = ("resolve", "blob", "raw", "tree")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_REPO_PART = re.compile(r"(?!-)(?!.*(?:--|\.\.))[A-Za-z0-9_.-]{1,96}(?<![-.])")
_NAME = re.compile(r"\w(?:[\w. +-]*[\w.+-])?")
_TAG = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Without an `owner`, `name` is to be searched for. `str()` of it is read as the same wish."""

    owner: str = ""
    name: str
    quant: str = ""
    file: str = ""
    """The path of a GGUF file inside the repository."""
    revision: str = ""

    @property
    def repo(self) -> str:
        """ "owner/repo", or "" where there is only a name."""
        return f"{self.owner}/{self.name}" if self.owner else ""

    def __str__(self) -> str:
        where, file = self.repo or self.name, self.file
        if self.revision:
            view = "resolve" if file else "tree"
            where = f"hf://{where}/{view}/{quote(self.revision, safe='')}"
            file = quote(file)
        return where + (f"/{file}" if file else "") + (f":{self.quant}" if self.quant else "")


def parse_wish(text: str, *, endpoint: str = "") -> Wish:
    """`endpoint`: the address of the Hub in use, whose own addresses count as the Hub's.

    Raises InvalidRequest and nothing else.
    """
    text = text.strip()
    if not text:
        raise InvalidRequest("The model's name is empty.", param="model")
    if len(text) > MAX_LENGTH or not text.isprintable() or "\\" in text:
        _refuse(text, "it is no name of a model")
    address = _address(text, endpoint)
    if address is None:
        return _typed(text)
    return _from_address(text, *address)


def _refuse(text: str, why: str) -> NoReturn:
    raise InvalidRequest(f"{text[:120]!r}: {why}.", param="model", code="invalid_model_name")


def _address(text: str, endpoint: str) -> tuple[str, bool] | None:
    """(path with its query, whether `@` names a revision) of an address on the Hub; None: it is
    none. Raises InvalidRequest for one that leads elsewhere."""
    if text.lower().startswith("hf://"):
        return text[5:].removeprefix("models/"), True
    scheme = _SCHEME.match(text)
    if scheme and scheme[0].lower() not in ("http://", "https://"):
        _refuse(text, "only https:// and hf:// addresses are understood")
    host, _, path = text[scheme.end() if scheme else 0 :].partition("/")
    mirror = _SCHEME.sub("", endpoint).strip("/").lower()
    if host.lower() in HOSTS or (scheme and mirror and host.lower() == mirror):
        return path, False
    if not scheme:
        return None
    _refuse(text, f"only the Hub's own addresses ({HOSTS[0]}, {HOSTS[1]}) are understood")


def _from_address(text: str, path: str, at_is_revision: bool) -> Wish:
    path, _, query = path.partition("#")[0].partition("?")
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if len(parts) < 2:
        _refuse(text, "that is no address of a model's repository")
    owner, (name, revision) = parts[0], _at(parts[1]) if at_is_revision else (parts[1], "")
    rest, tag = parts[2:], ""
    if rest and rest[0] in VIEWS and not revision:
        view, *rest = rest
        if not rest:
            _refuse(text, f"'{view}' needs a revision after it")
        revision, *rest = rest
        if view == "tree" and len(rest) == 1 and is_quant(rest[0]):
            tag, rest = rest[0], []
    elif not rest and (shown := parse_qs(query).get("show_file_info")):
        rest = shown[0].split("/")
    elif not rest and is_quant(revision):
        tag, revision = revision, ""
    if rest:
        rest[-1], tag = _tag(text, rest[-1])
    elif revision and not tag:
        revision, tag = _tag(text, revision)
    elif not tag:
        name, tag = _tag(text, name)
    return _wish(text, owner, name, "/".join(rest), _latest(tag), revision)


def _at(part: str) -> tuple[str, str]:
    name, _, revision = part.partition("@")
    return name, revision


def _typed(text: str) -> Wish:
    text = text.removesuffix("/")
    *parts, last = text.split("/")
    last, tag = _tag(text, last)
    tag = _latest(tag)
    if not parts:
        return _short(text, last, tag)
    owner, name, *folders = [*parts, last]
    return _wish(text, owner, name, "/".join(folders), tag)


def _tag(text: str, part: str) -> tuple[str, str]:
    """What stands before and after `@` or `:`."""
    name, *tags = re.split(r"[@:]", part)
    if len(tags) > 1 or (tags and not _TAG.fullmatch(tags[0])):
        _refuse(text, "after '@' or ':' comes one quantisation, as in 'name@q4_k_m'")
    return name, tags[0] if tags else ""


def _latest(tag: str) -> str:
    """Ollama's way of asking for nothing in particular."""
    return "" if tag.lower() == "latest" else tag


def _short(text: str, name: str, tag: str) -> Wish:
    if tag and not is_quant(tag) and not tag.isdigit() and re.search(r"\d[bm]", tag.lower()):
        # Ollama's `gemma3:1b` and `gemma3:1b-it-q4_K_M`: the tag goes on with the name.
        rest, tag = split_quant(tag)
        name = f"{name}-{rest}"
    name = re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE)
    if not _NAME.fullmatch(name):
        _refuse(text, "a name has letters, digits, '-', '_' and '.'")
    return _checked(text, Wish(name=name, quant=tag))


def _wish(
    text: str, owner: str, name: str, file: str = "", quant: str = "", revision: str = ""
) -> Wish:
    if owner.lower() in NO_OWNERS:
        _refuse(text, "that is no repository of a model")
    for part in (owner, name):
        if not _REPO_PART.fullmatch(part):
            _refuse(text, f"{part[:100]!r} cannot be the name of an owner or a repository")
    if file:
        if not all(_is_plain(part) for part in file.split("/")):
            _refuse(text, "the path of the file leads elsewhere")
        if not file.lower().endswith(".gguf"):
            _refuse(text, "a file of a repository has to end in .gguf")
        if quant:
            _refuse(text, "a file is one quantisation already")
    if revision and not all(_is_plain(part) for part in revision.split("/")):
        _refuse(text, "that cannot be the name of a revision")
    if revision == "main":
        revision = ""
    wish = Wish(owner=owner, name=name, file=file, quant=quant, revision=revision)
    return _checked(text, wish)


def _checked(text: str, wish: Wish) -> Wish:
    if wish.quant.isdigit():
        _refuse(text, f"':{wish.quant}' names a loaded instance, no quantisation")
    return wish


def _is_plain(part: str) -> bool:
    return (
        part not in ("", ".", "..")
        and part.isprintable()
        and not set(part) & set('\\:@?#<>|"*')
        and part == part.strip()
    )
