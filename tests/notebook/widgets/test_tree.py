"""A conversation keeps what was said when it is edited or answered again."""

from __future__ import annotations

from lmnb.notebook.widgets.tree import Tree


def said(tree: Tree) -> list[str]:
    return [turn.text for turn in tree.path()]


def test_turns_follow_each_other() -> None:
    tree = Tree()
    question = tree.add(None, "user", "one")
    tree.add(question, "assistant", "two")
    assert said(tree) == ["one", "two"]


def test_an_edited_message_begins_a_branch_and_the_old_one_can_be_shown_again() -> None:
    tree = Tree()
    first = tree.add(None, "user", "one")
    tree.add(first, "assistant", "two")
    edited = tree.beside(first, "uno")
    tree.add(edited, "assistant", "due")
    assert said(tree) == ["uno", "due"]
    tree.follow(first)
    assert said(tree) == ["one", "two"]
    assert [turn.text for turn in first.siblings] == ["one", "uno"]


def test_what_was_said_before_a_turn_leaves_out_other_branches() -> None:
    tree = Tree()
    first = tree.add(None, "user", "one")
    tree.add(first, "assistant", "two")
    again = tree.add(first, "assistant", "deux")
    last = tree.add(again, "user", "three")
    assert [turn.text for turn in tree.path_to(last)] == ["one", "deux", "three"]


def test_pictures_go_with_a_message_that_is_edited() -> None:
    tree = Tree()
    seen = tree.add(None, "user", "what?", ["data:image/png;base64,AA"])
    content = tree.beside(seen, "who?").message["content"]
    assert content[0] == {"type": "text", "text": "who?"}
    assert content[1]["image_url"]["url"] == "data:image/png;base64,AA"


def test_ids_are_not_used_again_after_a_new_beginning() -> None:
    tree = Tree()
    before = tree.add(None, "user", "one").id
    tree.clear()
    assert said(tree) == []
    assert tree.add(None, "user", "two").id != before
