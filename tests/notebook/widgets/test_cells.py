"""A conversation becomes cells that can be run again."""

from __future__ import annotations

import nbformat

from lmnb.notebook.chat.reply import Reply
from lmnb.notebook.widgets.cells import to_cells
from lmnb.notebook.widgets.tree import Tree


def test_each_question_is_a_cell_with_its_answer_as_output() -> None:
    tree = Tree()
    question = tree.add(None, "user", "Who {are} you?")
    answer = tree.add(question, "assistant")
    answer.reply = Reply("A **model**.", model="team/tiny", finish_reason="stop")
    tree.add(answer, "user", "Thanks.")
    cells = to_cells(tree.path(), "Be brief.")
    assert [cell["source"] for cell in cells] == [
        "%%lms --raw --system 'Be brief.' -m team/tiny\nWho {are} you?",
        "%%lms\nThanks.",
    ]
    assert cells[0]["outputs"][0]["data"]["text/markdown"].startswith("A **model**.")
    nbformat.validate(nbformat.v4.new_notebook(cells=nbformat.from_dict(cells)))
