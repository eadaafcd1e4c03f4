"""Whatever a user types becomes the one thing it can mean, or a clear refusal."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmnb.errors import InvalidRequest
from lmnb.models.identifiers import check_identifier, free_identifier
from lmnb.models.wish import Wish, parse_wish

FILE = "gemma-3-1b-it-Q4_K_M.gguf"
GEMMA = {"owner": "Google", "name": "gemma-3-1b-it-GGUF"}
HUB = "https://huggingface.co/Google/gemma-3-1b-it-GGUF"
CASES = {
    "gemma-3-1b": {"name": "gemma-3-1b"},
    "  Gemma 3 1B ": {"name": "Gemma 3 1B"},
    "gemma-3-1b@q4_k_m": {"name": "gemma-3-1b", "quant": "q4_k_m"},
    "gemma-3-1b:Q8_0": {"name": "gemma-3-1b", "quant": "Q8_0"},
    "gemma3:1b": {"name": "gemma3-1b"},
    "gemma3:1b-it-q4_K_M": {"name": "gemma3-1b-it", "quant": "q4_K_M"},
    "gemma3:latest": {"name": "gemma3"},
    "gemma-3-1b-it-Q4_K_M.gguf": {"name": "gemma-3-1b-it-Q4_K_M"},
    "Google/gemma-3-1b-it-GGUF": GEMMA,
    "Google/gemma-3-1b-it-GGUF/": GEMMA,
    "Google/gemma-3-1b-it-GGUF@UD-Q4_K_XL": {**GEMMA, "quant": "UD-Q4_K_XL"},
    f"Google/gemma-3-1b-it-GGUF/{FILE}": {**GEMMA, "file": FILE},
    f"Google/gemma-3-1b-it-GGUF/a b/c/{FILE}": {**GEMMA, "file": f"a b/c/{FILE}"},
    "hf.co/Google/gemma-3-1b-it-GGUF:Q4_K_M": {**GEMMA, "quant": "Q4_K_M"},
    "huggingface.co/Google/gemma-3-1b-it-GGUF:latest": GEMMA,
    HUB: GEMMA,
    f"{HUB}?library=llama-cpp-python#readme": GEMMA,
    f"{HUB}?show_file_info={FILE}": {**GEMMA, "file": FILE},
    f"{HUB}/resolve/main/{FILE}?download=true": {**GEMMA, "file": FILE},
    f"{HUB}/blob/v1.0/quants/{FILE}": {**GEMMA, "file": f"quants/{FILE}", "revision": "v1.0"},
    f"{HUB}/resolve/refs%2Fpr%2F1/{FILE}": {**GEMMA, "file": FILE, "revision": "refs/pr/1"},
    f"{HUB}/tree/abc123": {**GEMMA, "revision": "abc123"},
    f"{HUB}/tree/main/Q8_0": {**GEMMA, "quant": "Q8_0"},
    "hf://Google/gemma-3-1b-it-GGUF@v2/x.gguf": {**GEMMA, "revision": "v2", "file": "x.gguf"},
    "hf://Google/gemma-3-1b-it-GGUF@q8_0": {**GEMMA, "quant": "q8_0"},
    "https://mirror.example/Google/gemma-3-1b-it-GGUF": GEMMA,
}


@pytest.mark.parametrize("text", CASES)
def test_each_form_means_one_thing(text: str) -> None:
    assert parse_wish(text, endpoint="https://mirror.example/") == Wish(**CASES[text])


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "a@b@c",
        "gemma:2",
        "owner/../repo",
        "../etc/passwd",
        "/etc/passwd",
        "owner/repo/../../x.gguf",
        "owner/repo/readme.md",
        "owner/repo/x.gguf@q4_0",
        "owner/repo\\x.gguf",
        "owner/repo\0",
        "-rf/repo",
        "https://example.com/owner/repo",
        "https://huggingface.co.example.com/owner/repo",
        "https://huggingface.co@example.com/owner/repo",
        "file:///etc/passwd",
        "https://huggingface.co/datasets/owner/data",
        "https://huggingface.co/owner",
        f"{HUB}/resolve/main/%2E%2E/x.gguf",
        f"{HUB}/resolve/%2E%2E%2Fmain/x.gguf",
        "x" * 1000,
    ],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_wish(text)
    assert caught.value.param == "model"
    assert len(caught.value.message) < 400


def safe(wish: Wish) -> None:
    """Nothing in it leads out of the folder that it names."""
    for path in (wish.owner, wish.name, wish.file, wish.revision):
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        assert not set(path) & set("\\\0\n:")


ALPHABET = st.sampled_from([*"abQ4_0.-/:@%? ~\\\0é", "..", "%2e", "hf.co/", "hf://", "tree/"])


@given(st.one_of(st.text(), st.lists(ALPHABET, max_size=30).map("".join)))
def test_any_text_is_a_safe_wish_or_refused(text: str) -> None:
    for typed in (text, HUB + text, f"hf://{text}", f"owner/repo/{text}.gguf"):
        try:
            wish = parse_wish(typed)
        except InvalidRequest:
            continue
        safe(wish)
        assert parse_wish(str(wish)) == wish


PART = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9_]|[-.](?=[A-Za-z0-9_])){0,30}", fullmatch=True)
FOLDER = st.from_regex(r"[A-Za-z0-9_é][A-Za-z0-9_+()é -]{0,20}[A-Za-z0-9_é]", fullmatch=True)
REVISION = st.from_regex(r"[a-z][a-z0-9.]{0,10}[a-z](?:/[0-9]{1,3})?", fullmatch=True)


@given(PART, PART, st.lists(FOLDER, max_size=3), REVISION)
def test_addresses_of_files_are_read_back(
    owner: str, name: str, folders: list[str], revision: str
) -> None:
    file = "/".join([*folders, "model.gguf"])
    wish = Wish(owner=owner, name=name, file=file, revision=revision)
    address = f"{HUB.rsplit('/', 2)[0]}/{owner}/{name}/resolve/{quote(revision, safe='')}/"
    expected = wish if revision != "main" else Wish(owner=owner, name=name, file=file)
    assert parse_wish(address + quote(file)) == expected
    assert parse_wish(str(wish)) == expected


def test_instances_are_numbered() -> None:
    assert free_identifier("a/b", ()) == "a/b"
    assert free_identifier("a/b", {"a/b"}) == "a/b:2"
    assert free_identifier("a/b", {"a/b", "a/b:2", "a/b:3"}) == "a/b:4"


@pytest.mark.parametrize("text", ["my-model", "team/model@q4_0", "x:2", "Ü 1", "a" * 256])
def test_identifiers_may_be_chosen(text: str) -> None:
    assert check_identifier(text) == text


@pytest.mark.parametrize("text", ["", " a", "a ", "a/../b", "/a", "a//b", "a\nb", "-a", "a" * 257])
def test_some_identifiers_may_not(text: str) -> None:
    with pytest.raises(InvalidRequest):
        check_identifier(text)
