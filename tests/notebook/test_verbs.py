"""The verb table: what can be written on a `%lms` line."""

import threading
import time
from pathlib import Path

import msgspec
import pytest

from lmnb.engine.options import LoadOptions
from lmnb.errors import InvalidRequest, ModelNotFound
from lmnb.notebook import remote_names
from lmnb.notebook.cell.chat_options import cell_parser, sampling
from lmnb.notebook.chat.conversation import Conversation
from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.choice import choose_embedding_model, choose_model
from lmnb.notebook.completer import ModelNames, candidates
from lmnb.notebook.load_options import LOAD_OPTIONS, given
from lmnb.notebook.options import split
from lmnb.notebook.verbs import VERBS, find_verb
from tests.notebook.stub_server import model


def parse_load(line: str) -> dict[str, object]:
    return given(VERBS["load"].parser("%lms").parse_line(split(line)))


def test_a_windows_path_keeps_its_backslashes() -> None:
    line = r"""import C:\Users\ada\m.gguf 'D:\my models\n.gguf' "it's" """
    words = ["import", r"C:\Users\ada\m.gguf", r"D:\my models\n.gguf", "it's"]
    assert split(line, "win32") == words
    assert split(r"a\ b '#c'", "linux") == ["a b", "#c"]


def test_every_load_option_of_the_engine_has_a_flag() -> None:
    """What the load route can do, a notebook can: LM Studio's CLI reaches a third of its own."""
    names = {o.settings.get("dest") or o.flags[-1][2:].replace("-", "_") for o in LOAD_OPTIONS}
    assert set(LoadOptions.__struct_fields__) <= names


def test_load_flags_become_what_the_load_route_takes() -> None:
    line = (
        "m -c 2048 --gpu 0.5 --parallel 8 --no-mmap --flash-attention --cache-type-k q8_0"
        " --lora a.gguf:0.5 --lora b.gguf --tensor-split 3,1 --ttl 60 -y"
    )
    options = parse_load(line)
    assert options == {
        "context_length": 2048,
        "gpu": 0.5,
        "slots": 8,
        "mmap": False,
        "flash_attention": True,
        "cache_type_k": "q8_0",
        "lora": [
            {"path": str(Path("a.gguf").absolute()), "scale": 0.5},
            {"path": str(Path("b.gguf").absolute())},
        ],
        "tensor_split": [3.0, 1.0],
        "ttl": 60,
    }
    known = {k: v for k, v in options.items() if k != "ttl"}
    assert msgspec.convert(known, LoadOptions).slots == 8


@pytest.mark.parametrize(
    ("text", "value"), [("off", "off"), ("max", "max"), ("12", 12), ("1.0", 1.0), ("0", 0)]
)
def test_gpu_takes_words_shares_and_counts(text: str, value: object) -> None:
    assert parse_load(f"m --gpu {text}")["gpu"] == value


@pytest.mark.parametrize(
    "line", ["m --gpu 2.5", "m --gpu x", "m -c 0", "m -c x", "m --cache-type-k q9", "", "m --what"]
)
def test_bad_flags_are_refused_before_the_server_is_asked(line: str) -> None:
    with pytest.raises(InvalidRequest, match="--help"):
        parse_load(line)


def test_two_word_verbs_are_found_and_slips_get_a_hint() -> None:
    assert find_verb(["server", "status", "--json"], VERBS, "%lms")[0].name == "server status"
    with pytest.raises(InvalidRequest, match="Did you mean `%lms unload`"):
        find_verb(["unlod"], VERBS, "%lms")
    with pytest.raises(InvalidRequest, match="`%lms server stop` or `%lms server status`"):
        find_verb(["server"], VERBS, "%lms")


def test_a_flag_that_is_nearly_one_gets_a_hint() -> None:
    with pytest.raises(InvalidRequest, match=r"did you mean `--context-length`\?"):
        parse_load("tiny --context 4096")
    with pytest.raises(InvalidRequest, match="--help"):
        parse_load("tiny --zzz")


def test_sampling_options_keep_their_api_names() -> None:
    line = "-t 0 --max-tokens 5 --seed -1 --top-p 0.9 --stop END --stop FIN"
    assert sampling(cell_parser().parse_line(split(line))) == {
        "temperature": 0.0,
        "max_tokens": 5,
        "seed": -1,
        "top_p": 0.9,
        "stop": ["END", "FIN"],
    }


@pytest.mark.parametrize(
    ("models", "configured", "previous", "chosen"),
    [
        ([model("a"), model("b")], "c", "", "c"),
        ([model("a"), model("b", "b1")], "", "", "b1"),
        ([model("a", "a1"), model("b", "b1")], "", "b1", "b1"),
        ([model("a")], "", "", "a"),
        ([model("a"), model("b")], "", "a", "a"),
        ([model("a", "a", "a:2"), model("b")], "", "", "a"),
        ([model("a", "a", "a:2"), model("b")], "", "a:2", "a:2"),
    ],
)
def test_a_cell_without_a_model_means_the_obvious_one(
    models: list, configured: str, previous: str, chosen: str
) -> None:
    assert choose_model(models, configured=configured, previous=previous) == chosen


def test_where_no_model_is_obvious_the_candidates_are_named() -> None:
    with pytest.raises(InvalidRequest, match="On this machine: a, b"):
        choose_model([model("a"), model("b")])
    with pytest.raises(InvalidRequest, match="Loaded: a1, b1"):
        choose_model([model("a", "a1"), model("b", "b1")], previous="gone")


def test_a_model_that_was_loaded_for_vectors_gives_those_and_no_text() -> None:
    vectors = {"id": "v", "config": {"embeddings": True}}
    talks = {"id": "a", "config": {"embeddings": None}}
    both = [{"key": "a", "type": "llm", "loaded_instances": [vectors, talks]}]
    assert choose_model(both) == "a"
    assert choose_embedding_model(both, say="") == "v"
    with pytest.raises(ModelNotFound):
        choose_embedding_model([model("a", "a1")], say="")


def turn(question: str, answer: str) -> tuple[list[dict[str, str]], Reply]:
    said = [("user", question), ("assistant", answer)]
    messages = [{"role": role, "content": content} for role, content in said]
    return messages, Reply(answer, model="m")


def test_a_turn_enters_the_conversation_whole_or_not_at_all() -> None:
    talk = Conversation()
    talk.add(*turn("q1", "a1"), system="be kind")
    talk.add(*turn("q2", ""))
    question = {"role": "user", "content": "q3"}
    roles = [m["role"] for m in talk.messages(question)]
    assert roles == ["system", "user", "assistant", "user"]
    assert talk.messages(question, history=False) == [question]
    assert talk.reset() == 1
    system = {"role": "system", "content": "d"}
    assert talk.messages(question, default_system="d")[0] == system


@pytest.fixture
def names() -> ModelNames:
    names = ModelNames(list)
    names.remember([model("tiny", "tiny-1"), model("big")])
    remote_names.remember([{"id": "acme/tiny-GGUF"}, {"id": "other/big-GGUF"}])
    return names


def test_the_hub_is_asked_behind_ones_back_and_once_for_each_beginning() -> None:
    asked, answered = list[str](), threading.Event()

    def search(words: str) -> list[dict[str, str]]:
        asked.append(words)
        answered.set()
        return [{"id": "acme/looked-up"}]

    names = ModelNames(list, search)
    for word in ("ac", "acme/loo", "acme/loo"):
        names.look_up(word)
    assert answered.wait(10)
    while not candidates("%lms get acme/loo", VERBS, names):
        time.sleep(0.01)
    assert asked == ["acme loo"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("%lms l", ["load", "log", "ls"]),
        ("%lms server ", ["start", "status", "stop"]),
        ("%lms server st", ["start", "status", "stop"]),
        ("%lms downloads ", ["cancel", "pause", "resume"]),
        ("%lms key create x --permissions ", ["admin", "manage", "use"]),
        ("%lms get acme/t", ["acme/tiny-GGUF"]),
        ("%lms load ", ["big", "tiny", "tiny-1"]),
        ("%lms load b", ["big"]),
        ("%lms load big --gp", ["--gpu"]),
        ("%lms load big --no-mm", ["--no-mmap"]),
        ("%lms load big --cache-type-k q8", ["q8_0"]),
        ("%lms unload ", ["tiny-1"]),
        ("models = %lms ls --j", ["--json"]),
        ("%%lms -m t", ["tiny", "tiny-1"]),
        ("%%lms --model b", ["big"]),
        ("%%lms --max-t", ["--max-tokens"]),
        ("%lmsx l", None),
        ("lms l", None),
    ],
)
def test_tab_offers_verbs_flags_and_names(
    line: str, expected: list[str] | None, names: ModelNames
) -> None:
    assert candidates(line, VERBS, names) == expected
