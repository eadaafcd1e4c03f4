"""A constrained reply is what its grammar says, whatever the model would rather say."""

import json
import time

import jsonschema
import numpy as np
import pytest

from lmnb.chat.grammar import ResponseFormat, grammar
from lmnb.engine.events import Accepted, Failed
from lmnb.engine.options import Constraint, Sampling
from lmnb.engine.sampling import Sampler

from .driver import load, request, run, step, submit

CHAT = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
ASK = CHAT.format("Tell me about a person, in JSON.")
CAPITAL = CHAT.format("What is the capital of France?")
FREE = "The capital of France is Paris."
"""What SmolLM2 answers to that by itself."""
WORD = {"type": "string", "pattern": "^[A-Z][a-z]{1,12}$"}
PERSON = {
    "type": "object",
    "properties": {
        "name": WORD,
        "age": {"type": "integer", "minimum": 0, "maximum": 130},
        "born": {"type": "string", "format": "date"},
        "address": {
            "type": "object",
            "properties": {"city": WORD, "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
            "required": ["city", "zip"],
        },
        "pets": {
            "type": "array",
            "items": {"enum": ["cat", "dog", "fish"]},
            "minItems": 1,
            "maxItems": 3,
        },
    },
    "required": ["name", "age", "born", "address", "pets"],
    "additionalProperties": False,
}
SCHEMAS = {
    "nested": PERSON,
    "const": {"const": {"a": [1, None, "ä\n"]}},
    "enum": {"enum": ["x", 5, None, {"y": []}]},
    "ref": {
        "$defs": {"node": {"type": "object", "properties": {"name": WORD}, "required": ["name"]}},
        "type": "object",
        "properties": {"left": {"$ref": "#/$defs/node"}, "right": {"$ref": "#/$defs/node"}},
        "required": ["left", "right"],
    },
    "nullable": {
        "type": "object",
        "properties": {
            "a": {"anyOf": [WORD, {"type": "null"}]},
            "b": {"type": ["null", "boolean"]},
        },
        "required": ["a", "b"],
    },
    "formats": {
        "type": "array",
        "prefixItems": [
            {"type": "string", "format": f} for f in ("date", "date-time", "uuid", "ipv4")
        ],
        "items": False,
        "minItems": 4,
    },
    "numbers": {
        "type": "array",
        "items": {"type": "number", "minimum": -1.5, "exclusiveMaximum": 3},
        "minItems": 3,
        "maxItems": 3,
    },
    "multiples": {"type": "integer", "multipleOf": 7, "minimum": 100, "maximum": 999},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"]},
            {"properties": {"b": {"type": "null"}}, "required": ["b"]},
        ],
        "additionalProperties": False,
        "properties": {"a": True, "b": True},
    },
    "one of": {
        "oneOf": [
            {"type": "object", "properties": {"t": {"const": t}, t: WORD}, "required": ["t", t]}
            for t in ("cat", "dog")
        ]
    },
    "lengths": {"type": "string", "minLength": 3, "maxLength": 12},
    "names": {
        "type": "object",
        "properties": {'ä"\\ \n': {"type": "null"}},
        "required": ['ä"\\ \n'],
    },
}
MANY_PATTERNS = [{"type": "string", "pattern": f"^.*a.{{{n}}}b"} for n in range(30)]
"""To find out whether a text can meet them all takes llguidance minutes, and gigabytes."""


@pytest.fixture(scope="module")
def runner(smollm2):
    runner = load(smollm2, slots=4, context_length=1024)
    yield runner
    runner.close()


def schema(wanted):
    return Constraint(grammar=grammar(ResponseFormat("json_schema", wanted)))


def choice(*texts):
    return Constraint(grammar=grammar(ResponseFormat("choice", texts)))


def constrained(constraint, prompt=ASK, **options):
    options.setdefault("max_tokens", 250)
    return request(prompt, constraint=constraint, **options)


@pytest.mark.parametrize("name", SCHEMAS)
def test_documents_are_valid(runner, name):
    warm = [Sampling(temperature=0), Sampling(temperature=1, seed=1), Sampling(top_k=0, seed=2)]
    for reply in run(runner, *(constrained(schema(SCHEMAS[name]), sampling=s) for s in warm)):
        assert reply.finished.reason == "stop", reply.text
        document = json.loads(reply.text)
        jsonschema.validate(document, SCHEMAS[name], format_checker=jsonschema.FormatChecker())


def test_a_schema_that_refers_to_itself(runner):
    node = {
        "type": "object",
        "properties": {
            "value": {"type": "boolean"},
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        },
        "required": ["value", "next"],
    }
    wanted = {"$ref": "#/$defs/node", "$defs": {"node": node}}
    ids = runner.model.vocab.tokenize(" null", add_special=False, parse_special=False)
    ids += runner.model.vocab.tokenize("null", add_special=False, parse_special=False)
    sampling = Sampling(temperature=0, logit_bias=tuple((id, 20.0) for id in ids))
    reply = run(runner, constrained(schema(wanted), sampling=sampling))[0]
    jsonschema.validate(json.loads(reply.text), wanted)


def test_different_grammars_at_once_beside_a_free_reply(runner):
    free, *held = run(
        runner,
        request(CAPITAL, max_tokens=20),
        *(constrained(choice(f"answer {n}", f"other {n}")) for n in range(6)),
    )
    assert free.text == FREE
    for n, reply in enumerate(held):
        assert reply.text in (f"answer {n}", f"other {n}")


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0},
        {"temperature": 2.0, "top_k": 0, "top_p": 1, "min_p": 0},
        {"mirostat": 1},
        {"mirostat": 2},
        {"typical_p": 0.5},
        {"top_n_sigma": 1.0},
        {"xtc_probability": 1.0},
        {"repeat_penalty": 1.5, "dry_multiplier": 1.0},
        {"logit_bias": ((504, 100.0), (2, 100.0))},
    ],
)
def test_every_sampler_stays_within_the_grammar(runner, options):
    sampling = Sampling(seed=5, **options)
    wanted = choice("0123", "apples and pears", "ä😀")
    reply = run(runner, constrained(wanted, sampling=sampling))[0]
    assert reply.text in ("0123", "apples and pears", "ä😀")
    assert reply.finished.reason == "stop"


@pytest.mark.parametrize("options", [{"top_k": 40}, {"top_k": 5}, {"temperature": 0}])
def test_a_masked_choice_is_the_choice_among_what_is_left(runner, options):
    vocab = runner.model.vocab
    rng = np.random.default_rng(0)
    short, whole = (Sampler(Sampling(seed=9, **options), vocab, 512) for _ in range(2))
    for count in (1, 3, 50, 5000, vocab.size):
        row = rng.normal(0, 3, vocab.size).astype(np.float32)
        allowed = np.sort(rng.choice(vocab.size, count, replace=False))
        masked = np.full_like(row, -np.inf)
        masked[allowed] = row[allowed]
        assert short.sample(row, allowed) == whole.sample(masked)


def test_a_reply_that_is_cut_off_says_so(runner):
    reply = run(runner, constrained(schema(PERSON), max_tokens=5))[0]
    assert reply.finished.reason == "length"
    assert reply.finished.completion_tokens == 5


def test_the_end_comes_with_the_grammars_even_when_ends_are_ignored(runner):
    reply = run(runner, constrained(choice("yes", "yes, sir"), ignore_eos=True))[0]
    assert reply.text in ("yes", "yes, sir")
    assert reply.finished.reason == "stop"


def test_log_probabilities_are_the_models_own(runner):
    reply = run(runner, constrained(choice("zebra"), logprobs=2))[0]
    assert b"".join(entry.bytes for entry in reply.logprobs) == b"zebra"
    assert reply.logprobs[0].logprob < -5  # nothing the model would have said


def test_a_preempted_reply_goes_on_where_it_was(smollm2):
    runner = load(smollm2, slots=3, context_length=256, kv_unified=True)
    prompt = "word " * 60
    digits = Constraint(grammar="start: /[0-9]{40}/")
    replies = run(
        runner, *(constrained(digits, prompt=f"{i} {prompt}", max_tokens=100) for i in range(3))
    )
    for reply in replies:
        assert reply.finished.reason == "stop"
        assert len(reply.text) == 40 and reply.text.isdigit()
    runner.close()


def test_cancelling_at_any_time(runner):
    replies = submit(runner, *(constrained(schema(PERSON)) for _ in range(5)))
    ids = list(replies)
    for event in runner.cancel(ids[0]):  # while its grammar is compiled
        replies[event.id].take(event)
    for id in ids[1:]:
        step(runner, replies)
        for event in runner.cancel(id):
            replies[event.id].take(event)
    assert all(reply.finished.reason == "cancelled" for reply in replies.values())
    assert not runner.busy


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("start: foo", "foo"),
        ('start: "a" (', "Expected"),
        ("", "Empty"),
        ('start: %json {"not": {}}', "not"),
        ("start: /(?=a)b/", "look-around"),
        ('start: start "a"', "no text can meet it"),
        ('start: %json {"$ref": "#"}', "no text can meet it"),
        ("start: " + '"a" ' * 100_000, "characters"),
        ("start: /" + "(" * 5000 + "a" + ")" * 5000 + "/", "nest"),
        ('{"grammars": []}', "grammars"),
        ("start: %json " + json.dumps({"allOf": MANY_PATTERNS}), "more time or memory"),
    ],
)
def test_a_grammar_that_cannot_be_is_refused_before_the_reply_begins(runner, text, why):
    replies = submit(runner, constrained(Constraint(grammar=text)))
    events = []
    while runner.busy:
        events += runner.step()
    (refusal,) = events
    assert isinstance(refusal, Failed) and refusal.id in replies
    assert refusal.kind == "InvalidRequest"
    assert refusal.param == "constraint"
    assert why in refusal.message
    assert len(refusal.message) < 500


@pytest.mark.parametrize(
    "text",
    [
        "start: r0\n" + "\n".join(f"r{i}: r{i + 1}" for i in range(17_000)) + '\nr17000: "a"',
        "start: R0\n"
        + "\n".join(f'R{i}: (R{i + 1} "x") | "y"' for i in range(9_000))
        + '\nR9000: "a"',
        "start: /((a{1,1000}){1,1000}){1,1000}/",
        "start: /(.*a.{20}){3}/",
        'start: x\nx: x x | "a" | ""',
        'start: %json {"type": "integer", "multipleOf": 999999937}',
        'start: %json {"type": "array", "items": {"type": "string"}, "minItems": 100000}',
    ],
    ids=["rules", "terminals", "repetition", "states", "ambiguity", "multiples", "items"],
)
def test_a_hostile_grammar_costs_its_sender_only(runner, text):
    """It is refused, or served as far as it goes; others go on meanwhile."""
    start = time.perf_counter()
    free, _ = run(
        runner,
        request(CAPITAL, max_tokens=20),
        constrained(Constraint(grammar=text), max_tokens=20),
    )
    assert free.text == FREE
    assert time.perf_counter() - start < 20


# -- triggers


def test_the_grammar_begins_after_its_trigger_and_then_the_model_is_free_again(runner):
    wanted = Constraint(grammar='start: " (" /[0-9]{4}/ ")"', triggers=("France", "Spain"))
    reply = run(runner, constrained(wanted, prompt=CAPITAL, max_tokens=30))[0]
    before, _, after = reply.text.partition("France")
    assert before == "The capital of "
    assert after[:2] == " (" and after[2:6].isdigit() and after[6] == ")"
    assert len(after) > 8


def test_a_trigger_may_come_again(runner):
    wanted = Constraint(grammar='start: " number"', triggers=(",",))
    reply = run(runner, constrained(wanted, prompt="One, two, three, four,", max_tokens=40))[0]
    assert reply.text.count(",") > 2, reply.text
    assert reply.text.count(", number") == reply.text.count(",")


def test_a_trigger_in_the_middle_of_a_token(runner):
    """`Franc` ends inside ` France`, whose rest the grammar forbids: another token is chosen."""
    wanted = Constraint(grammar='start: "X"', triggers=("Franc",))
    reply = run(runner, constrained(wanted, prompt=CAPITAL, max_tokens=20))[0]
    assert "France" not in reply.text
    allowed = Constraint(grammar='start: "e!"', triggers=("Franc",))
    reply = run(runner, constrained(allowed, prompt=CAPITAL, max_tokens=20))[0]
    assert reply.text.startswith("The capital of France!")


def test_without_a_trigger_nothing_is_constrained(runner):
    wanted = Constraint(grammar='start: "x"', triggers=("<tool_call>",))
    assert run(runner, constrained(wanted, prompt=CAPITAL))[0].text == FREE


def test_a_final_grammar_ends_the_reply_which_cannot_end_before(runner):
    wanted = Constraint(grammar='start: "{}"', triggers=("</think>",), final=True)
    never = run(runner, constrained(wanted, prompt=CAPITAL, max_tokens=40))[0]
    assert never.finished.reason == "length"
    assert never.text.startswith(FREE)
    wanted = Constraint(grammar='start: "{}"', triggers=("France",), final=True)
    reply = run(runner, constrained(wanted, prompt=CAPITAL))[0]
    assert reply.text == "The capital of France{}"
    assert reply.finished.reason == "stop"


@pytest.mark.parametrize(
    ("prefer", "text"),
    [("<think>", "<think>"), ("{}", "{}")],
)
def test_a_model_that_may_think_thinks_or_answers(runner, prefer, text):
    """Here with a tag of three tokens, and a bias for what such a model would begin with."""
    vocab = runner.model.vocab
    ids = vocab.tokenize(prefer, add_special=False, parse_special=True)
    bias = tuple((id, 30.0) for id in ids)
    wanted = Constraint(
        grammar='start: "{}"', triggers=("</think>",), final=True, opening="<think>"
    )
    reply = run(
        runner,
        constrained(wanted, sampling=Sampling(temperature=0, logit_bias=bias), max_tokens=8),
    )[0]
    assert reply.text.startswith(text)
    assert reply.finished.reason == ("stop" if text == "{}" else "length")


def test_an_accepted_reply_comes_after_its_grammar(runner):
    submit(runner, constrained(choice("a")))
    assert isinstance(runner.step()[0], Accepted)
    while runner.busy:
        runner.step()
