"""`%%lms`: what goes in (schemas, variables, files, pictures) and what comes out as a value."""

import base64
import json
from pathlib import Path

import pytest

from tests.notebook.kernels import Kernel
from tests.notebook.stub_server import StubServer

ALICE = '{"name": "Alice", "age": 31}'
KINDS = {
    "pydantic": "import pydantic\nclass Person(pydantic.BaseModel):\n    name: str\n    age: int",
    "dataclass": "import dataclasses\n@dataclasses.dataclass\nclass Person:\n    name: str\n    age: int",
    "TypedDict": "import typing\nclass Person(typing.TypedDict):\n    name: str\n    age: int",
    "JSON schema": "Person = {'title': 'Person', 'type': 'object', 'properties': "
    "{'name': {'type': 'string'}, 'age': {'type': 'integer'}}, 'required': ['name', 'age']}",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_gives_a_typed_value(kernel: Kernel, stub: StubServer, kind: str) -> None:
    kernel.run(KINDS[kind])
    stub.answer = [ALICE[:10], ALICE[10:]]
    ran = kernel.run("%%lms --schema Person --out person -f json\nWho?")
    assert ran.status == "ok"
    asked = stub.chats[-1]["response_format"]["json_schema"]
    assert asked["name"] == "Person"
    assert set(asked["schema"]["properties"]) == {"name", "age"}
    assert '```json\n{\n  "name": "Alice"' in ran.text("text/markdown")
    expected = "dict" if kind in ("TypedDict", "JSON schema") else "Person"
    name = "person['name']" if expected == "dict" else "person.name"
    assert kernel.value(f"(type(person).__name__, {name})") == (expected, "Alice")
    assert kernel.value("_.text") == ALICE  # the reply itself


def test_a_schema_may_stand_on_the_line(kernel: Kernel, stub: StubServer) -> None:
    stub.answer = ["[1, 2]"]
    line = """%%lms --schema '{"type": "array", "items": {"type": "integer"}}' -o numbers"""
    assert kernel.run(f"{line}\nCount.").status == "ok"
    assert kernel.value("sum(numbers)") == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (['{"name": "Al', {"finish_reason": "length"}], "cut off before the Person was complete"),
        (['{"name": "Al", "age": "old"}'], "no valid Person"),
    ],
)
def test_an_answer_without_a_value_fails_the_cell_and_is_kept(
    kernel: Kernel, stub: StubServer, answer: list, said: str
) -> None:
    kernel.run(KINDS["pydantic"])
    stub.answer = answer
    ran = kernel.run("%%lms --schema Person --out person\nWho?")
    assert ran.status == "error"
    assert said in ran.stream("stderr")
    assert kernel.value("('person' in globals(), _.text)") == (False, answer[0])
    kernel.run("%%lms\nAgain.")
    assert len(stub.chats[-1]["messages"]) == 1  # it did not enter the conversation


def test_an_interrupted_value_is_none(kernel: Kernel, stub: StubServer) -> None:
    kernel.run(KINDS["pydantic"])
    stub.answer = ['{"name": "Al', 60]
    ran = kernel.run("%%lms --schema Person --out person\nWho?", interrupt_at="Al")
    assert ran.status == "error"
    assert kernel.value("('person' in globals(), str(_))") == (False, '{"name": "Al')


def test_an_attached_table_is_sent_shown_and_counted(kernel: Kernel, stub: StubServer) -> None:
    kernel.run("import pandas as pd\nframe = pd.DataFrame({'a': range(50), 'b': ['x|y'] * 50})")
    ran = kernel.run("%%lms --attach frame --rows 2\nWhat is it?")
    sent = stub.prompts[-1]
    assert sent.startswith(
        '<attachment name="frame">\n|  | a | b |\n| --- | --- | --- |\n| 0 | 0 | x\\|y |'
    )
    assert sent.endswith("(The first 2 of 50 rows.)\n</attachment>\n\nWhat is it?")
    shown, answer = ran.outputs
    tokens = len(sent.removesuffix("What is it?").split())
    line = f"sent frame: table, 2 of 50 rows by 2 columns, {tokens} tokens"
    assert shown["data"]["text/plain"] == f"[{line}]"
    assert "| 1 | 1 | x\\|y |" in shown["data"]["text/markdown"]
    assert answer["data"]["text/markdown"].startswith("Hello there.")


def test_other_values_are_sent_as_data_summary_or_source(
    kernel: Kernel, stub: StubServer, tmp_path: Path
) -> None:
    kernel.run("import numpy as np\nimport pandas as pd\ndef area(r):\n    return 3 * r * r")
    kernel.run("data = {'k': [1, 2]}\narray = np.arange(100.0)\nframe = pd.DataFrame({'a': [1]})")
    kernel.run("%%lms --attach data --attach array --attach area --attach 'data[\"k\"]'\nWhat?")
    sent = stub.prompts[-1]
    assert json.dumps({"k": [1, 2]}, indent=2) in sent
    assert "Array of shape (100,), dtype float64.\nmin 0, max 99, mean 49.5" in sent
    assert "def area(r):\n    return 3 * r * r" in sent
    assert '<attachment name="data[&quot;k&quot;]">\n[\n  1,\n  2\n]' in sent
    kernel.run("%%lms --attach frame --csv\nWhat?")
    assert "\n,a\n0,1\n" in stub.prompts[-1]


def test_files_are_sent_as_text(kernel: Kernel, stub: StubServer, tmp_path: Path) -> None:
    notebook = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Title"]},
            {
                "cell_type": "code",
                "source": "1 + 1",
                "outputs": [{"output_type": "execute_result", "data": {"text/plain": "2"}}],
            },
        ]
    }
    (tmp_path / "notes.md").write_text("Grüße")
    (tmp_path / "book.ipynb").write_text(json.dumps(notebook))
    ran = kernel.run(f"%%lms --file {tmp_path}/notes.md --file {tmp_path}/book.ipynb\nSum up.")
    assert "Grüße" in stub.prompts[-1]
    assert "# Title\n\n```python\n1 + 1\n```\n\n```\n2\n```" in stub.prompts[-1]
    assert "file, 1 line, 4 tokens" in ran.text()


def test_a_pdf_is_read_where_pypdf_is(kernel: Kernel, stub: StubServer, tmp_path: Path) -> None:
    page = b"BT /F1 12 Tf 20 100 Td (Net price: 12 euro) Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(page), page),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    data += b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\n" % table
    data += b"startxref\n%d\n%%%%EOF" % data.index(b"xref\n")
    (tmp_path / "bill.pdf").write_bytes(data)
    ran = kernel.run(f"%%lms --file {tmp_path}/bill.pdf\nHow much?")
    assert "[page 1]\nNet price: 12 euro" in stub.prompts[-1]
    assert "PDF, 1 page" in ran.text()
    kernel.run("import sys; sys.modules['pypdf'] = None")
    ran = kernel.run(f"%%lms --file {tmp_path}/bill.pdf\nHow much?")
    kernel.run("import sys; del sys.modules['pypdf']")
    assert "%pip install pypdf" in ran.stream("stderr")


def test_a_file_that_is_no_text_is_an_error(
    kernel: Kernel, stub: StubServer, tmp_path: Path
) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(range(256)))
    assert "is no text" in kernel.run(f"%%lms --file {tmp_path}/data.bin\nhi").stream("stderr")
    assert "cannot be read" in kernel.run(f"%%lms --file {tmp_path}/no.md\nhi").stream("stderr")
    assert not stub.bodies


DRAWN = {
    "PIL": "import PIL.Image\npicture = PIL.Image.new('RGB', (2, 2))",
    "matplotlib": "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\n"
    "picture = plt.figure(figsize=(1, 1))",
    "bytes": "import io, PIL.Image\nf = io.BytesIO()\n"
    "PIL.Image.new('L', (1, 1)).save(f, 'png')\npicture = f.getvalue()",
    "IPython": "import io, PIL.Image, IPython.display\nf = io.BytesIO()\n"
    "PIL.Image.new('L', (1, 1)).save(f, 'png')\npicture = IPython.display.Image(f.getvalue())",
}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_picture_is_sent_as_data(kernel: Kernel, stub: StubServer, kind: str) -> None:
    kernel.run(DRAWN[kind])
    ran = kernel.run("%%lms --image picture\nWhat is it?")
    assert ran.status == "ok", ran.stream("stderr")
    image, text = stub.prompts[-1]
    assert text == {"type": "text", "text": "What is it?"}
    head, data = image["image_url"]["url"].split(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert "sent picture: image/png" in ran.text()


def test_a_picture_may_be_a_file_and_must_be_one(
    kernel: Kernel, stub: StubServer, tmp_path: Path
) -> None:
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    kernel.run(f"%%lms --image {tmp_path}/a.gif\nWhat is it?")
    assert stub.prompts[-1][0]["image_url"]["url"].startswith("data:image/gif;base64,")
    (tmp_path / "b.png").write_text("no")
    assert "is no PNG" in kernel.run(f"%%lms --image {tmp_path}/b.png\nhi").stream("stderr")
    kernel.run("number = 7")
    assert "no picture but int" in kernel.run("%%lms --image number\nhi").stream("stderr")


@pytest.mark.parametrize(
    ("form", "answer", "shown"),
    [
        ("text", "*a* <b>", "```\n*a* <b>\n```"),
        ("code", "Here:\n```python\nx = 1\n```\nDone.", "```python\nx = 1\n```"),
        ("json", '{"a": 1}', '```json\n{\n  "a": 1\n}\n```'),
        ("math", "So: \\[E = mc^2\\]", "$$\nE = mc^2\n$$"),
        ("html", "<p onclick='x()'>hi</p>", "```html\n<p onclick='x()'>hi</p>\n```"),
    ],
)
def test_an_answer_is_shown_as_asked(
    kernel: Kernel, stub: StubServer, form: str, answer: str, shown: str
) -> None:
    stub.answer = [answer]
    ran = kernel.run(f"%%lms --format {form}\nGo.")
    assert ran.text("text/markdown").startswith(shown)
    if form == "html":
        html = ran.text("text/html")
        assert html.startswith('<iframe sandbox="" srcdoc="&lt;meta http-equiv=&quot;Content-')
        assert "default-src &#x27;none&#x27;" in html
        assert "&lt;p onclick=&#x27;x()&#x27;&gt;hi&lt;/p&gt;" in html
    if form == "math":
        assert ran.text("text/latex") == "$$\nE = mc^2\n$$"
    if form == "json":
        assert stub.chats[-1]["response_format"] == {"type": "json_object"}
        assert kernel.value("_.value") == {"a": 1}


def test_stats_are_a_table_under_the_answer(kernel: Kernel, stub: StubServer) -> None:
    ran = kernel.run("%%lms --stats\nhi")
    rows = [line.split("  ") for line in ran.outputs[-1]["data"]["text/plain"].splitlines()]
    assert ["tokens per second", "50.0"] in [[row[0], row[-1].strip()] for row in rows]
    assert "<table>" in ran.outputs[-1]["data"]["text/html"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--schema Nothing", "no variable of this notebook"),
        ("--schema '{\"type\": '", "neither a name nor valid JSON"),
        ("--schema seven", "a schema is"),
        ("--attach nothing", "no variable of this notebook"),
        ("--attach 'seven.real.nothing'", "raised AttributeError"),
        ("--tools seven --yes", "A tool is a Python function"),
        ("--tools star --yes", "star() cannot be a tool: the parameter *words has no fixed name"),
        ("--tool-choice required", "there are none"),
        ("--compare one", "two models or more"),
        ("--compare a,b -m c", "goes without --model"),
        ("--format xml", "invalid choice"),
        ("--logit-bias x:1", "a colon and a number"),
    ],
)
def test_a_slip_on_the_line_costs_nothing(
    kernel: Kernel, stub: StubServer, line: str, said: str
) -> None:
    kernel.run("seven = 7\ndef star(*words):\n    pass")
    ran = kernel.run(f"%%lms {line}\nhi")
    assert ran.status == "error"
    assert said.lower() in ran.stream("stderr").lower()
    assert ran.stream("stderr").count("\n") == 1
    assert not stub.bodies
