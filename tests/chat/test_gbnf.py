"""GBNF means what llama.cpp takes it to mean: characters, no lexer."""

import pytest

from lmnb.chat.gbnf import to_lark
from lmnb.errors import InvalidRequest

from .languages import Language

ARITHMETIC = r"""
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] term)*   # the white space of `term` and the line's end overlap
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
"""
JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4})
  )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""


@pytest.mark.parametrize(
    ("gbnf", "good", "bad"),
    [
        ('root ::= "yes" | "no"', ["yes", "no"], ["yesno", ""]),
        ('root ::= "- " [^\\r\\n]+ "\\n"  # a "comment" [', ["- äß\n"], ["- \n"]),
        (r'root ::= "\x41\u00e4\U0001F600\x22\x5c" [\u00e4-\u00fc]', ['Aä😀"\\ö'], ['Aä😀"\\o']),
        ('root ::= "a" .', ["a\n", "aä"], ["a"]),
        (r"root ::= [a\-z/&~\]^\[]+", ["a-z/&~]^["], ["b"]),
        ('root ::= fooBar\nfooBar ::= "x" foo-bar2 | "y"\nfoo-bar2 ::= "\t"', ["x\t", "y"], ["x"]),
        ('root ::= "a"{2} "b"{1,} "c"{0,2} ("de")*', ["aab", "aabbccdede"], ["ab", "aaccc"]),
        ('root ::= ("a" | ) ( | "b") ""', ["", "a", "b", "ab"], ["ba"]),
        ('root ::= keyword | [a-z]+\nkeyword ::= "if" "!"', ["if!", "if", "i", "iffy"], ["iffy!"]),
        (ARITHMETIC, ["(a +1) *2 = x \n", "a=1\nb=2\n"], ["a=\n"]),
        (JSON, ['{"a": [1, -2.5e3, "x\\n\\u00e4"], "ä": {}}\n  '], ["{a: 1}", "[]"]),
    ],
)
def test_the_texts_of_a_grammar(gbnf, good, bad):
    texts = Language(to_lark(gbnf))
    assert [text for text in good if text not in texts] == []
    assert [text for text in bad if text in texts] == []


@pytest.mark.parametrize(
    ("gbnf", "why"),
    [
        ('foo ::= "a"', "no rule 'root'"),
        ("root ::= foo", "no rule 'foo'"),
        ('root ::= "a"\nroot ::= "b"', "twice"),
        ('root ::= "a', "line 1"),
        ('root ::= "a"\n\nx ::= [', "line 3"),
        ('"a"', "begins with a rule"),
        (r'root ::= "\ud800"', "no character"),
        ("root ::= <think>", "<think>"),
    ],
)
def test_what_cannot_be_read_is_refused(gbnf, why):
    with pytest.raises(InvalidRequest, match=why):
        to_lark(gbnf)
