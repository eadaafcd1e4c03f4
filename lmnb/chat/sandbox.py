"""Jinja as Hugging Face's chat templates know it, for templates from strangers.

The environment is transformers' own (trimmed blocks, loop controls, `{% generation %}`, `tojson`
without HTML escapes, `raise_exception`, `strftime_now`), but lists and dicts may be changed (the
conversation is a copy, and Kimi K2 needs it), and `safe` is no more than text, so that nothing next
to it is escaped for HTML. Beside jinja2's own sandbox there are two walls:

- Only the methods, filters and tests that are listed can be used.
- Everything that can take long pays a `Meter` first. Jinja compiles to Python, so what has no hook
  of its own becomes a filter (`metering.py`). Nothing is computed while compiling.
"""

from __future__ import annotations

import datetime
from contextvars import ContextVar
from itertools import islice
from types import BuiltinMethodType
from typing import Any, NoReturn

from jinja2 import nodes
from jinja2.compiler import CodeGenerator
from jinja2.environment import Template
from jinja2.exceptions import SecurityError, TemplateError, TemplateSyntaxError
from jinja2.ext import Extension
from jinja2.filters import FILTERS
from jinja2.parser import Parser
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import TESTS
from jinja2.utils import Cycler, Joiner, Namespace, pass_context

from lmnb.chat import operations
from lmnb.chat.controls import ControlTokens
from lmnb.chat.filters import filters, tests
from lmnb.chat.meter import Meter
from lmnb.chat.metering import Metering

__all__ = ["Raised", "Sandbox"]

MAX_SOURCE = 256 * 1024
MAX_TOKENS = 20_000
"""The largest of 70 real templates has 17 KB and 3,770 tokens."""
_CALL_UNITS = 4

_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        "capitalize casefold count endswith find format index isalnum isalpha isascii isdecimal"
        " isdigit islower isnumeric isspace istitle isupper join lower lstrip partition replace"
        " removeprefix removesuffix rfind rindex rpartition rsplit rstrip split splitlines"
        " startswith strip swapcase title upper".split()
    ),
    list: frozenset("append clear copy count extend index insert pop remove reverse".split()),
    dict: frozenset("clear copy get items keys pop setdefault update values".split()),
    tuple: frozenset(["count", "index", "grouper", "list"]),
}
_HELPERS = (LoopContext, Namespace, Macro, Cycler, Joiner, TemplateReference, BlockReference)

_meter: ContextVar[Meter] = ContextVar("lmnb_chat_meter")


class Raised(TemplateError):
    """The template called `raise_exception`: it does not want this conversation."""


class Generation(Extension):
    """`{% generation %}` marks the assistant's text for training. Here it is only text."""

    tags = {"generation"}  # noqa: RUF012  (jinja2's own type)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _CodeGenerator(CodeGenerator):
    """Makes the template's constant text pay too: a loop can write it a million times."""

    def _output_const_repr(self, group: Any) -> str:
        return f"environment.constant({super()._output_const_repr(group)})"


class Sandbox(SandboxedEnvironment):
    """One template's environment. `controls` are the tokens its users may not write."""

    code_generator_class = _CodeGenerator
    intercepted_binops = frozenset(SandboxedEnvironment.default_binop_table)

    def __init__(self, controls: ControlTokens) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[Generation, "jinja2.ext.loopcontrols"],
            optimized=False,
            cache_size=0,
            finalize=self._finalize,
        )
        self.controls = controls
        self.filters = filters(FILTERS, _meter, controls)
        self.tests = tests(TESTS, _meter)
        del self.globals["lipsum"]
        self.globals |= {
            "namespace": _namespace,
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
        }

    def compile_template(self, source: str) -> Template:
        """Raises TemplateSyntaxError, or what Python's compiler says of a strange template."""
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"it is longer than {MAX_SOURCE} characters", 1)
        if next(islice(self.lex(source), MAX_TOKENS, None), None) is not None:
            raise TemplateSyntaxError(f"it has more than {MAX_TOKENS} tokens", 1)
        return self.from_string(source)

    def run(self, template: Template, variables: dict[str, Any], meter: Meter) -> str:
        """The rendered text. Anything can be raised; the worst of it is OverBudget.

        jinja2's own `render` would rewrite the traceback and so read source files.
        """
        token = _meter.set(meter)
        try:
            return "".join(template.root_render_func(template.new_context(variables)))
        finally:
            _meter.reset(token)

    def constant(self, text: str) -> str:
        _meter.get().text(len(text))
        return text

    @pass_context  # not for the context: it keeps jinja2 from folding constants
    def _finalize(self, context: Context, value: object) -> str:
        return self.constant(operations.text_of(value, _meter.get()))

    def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:
        tree = Metering().visit(source)
        tree.set_environment(self)
        return super()._generate(tree, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """jinja2's, with a short way for what templates do most: `message.role`."""
        if type(obj) is dict and attribute not in _METHODS[dict]:
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, tuple):
            _meter.get().pay(argument)
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        for kind, methods in _METHODS.items():
            if isinstance(obj, kind):
                return attr in methods
        return isinstance(obj, (*_HELPERS, Undefined)) and super().is_safe_attribute(
            obj, attr, value
        )

    def wrap_str_format(self, value: Any) -> None:
        """`str.format` is one of the methods that `call` knows."""

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        meter = _meter.get()
        if isinstance(obj, BuiltinMethodType):
            for scope in (
                "_loop_vars",
                "_block_vars",
            ):  # jinja2's, for functions that take a context
                kwargs.pop(scope, None)
            return operations.call_method(self, self.controls, meter, obj, args, kwargs)
        meter.spend(_CALL_UNITS + len(args) + len(kwargs))
        if isinstance(obj, LoopContext):  # a recursive loop calls itself
            args = tuple(meter.each(values) for values in args)
        elif not isinstance(obj, Macro):
            args = tuple(operations.settled(value, meter) for value in args)
            meter.pay(args)
        meter.enter()
        try:
            return super().call(context, obj, *args, **kwargs)
        finally:
            meter.leave()

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return operations.binary(_meter.get(), operator, left, right)


def _namespace(*args: Any, **kwargs: Any) -> Namespace:
    attributes = dict(*args, **kwargs)
    if any(str(name).startswith("_") for name in attributes):
        raise SecurityError("names in a namespace may not begin with an underscore")
    return Namespace(attributes)


def _raise_exception(message: object = "") -> NoReturn:
    raise Raised(operations.text_of(message, _meter.get()))


def _strftime_now(format: str) -> str:
    if len(format) > 256:
        raise SecurityError("the format of strftime_now is too long")
    return datetime.datetime.now().strftime(format)
