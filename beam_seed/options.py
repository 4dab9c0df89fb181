"""Parameters of a launchable job, declared once: a dataclass whose fields become flags, template parameters and docs.

Beam's own ``PipelineOptions`` are not subclassed: two subclasses that declare one flag silently share a default. Flags are
parsed here, without abbreviations; what is left must be flags of Beam, and anything else is refused.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


def option(default: Any, help: str, *, kind: str = "", choices: Sequence[str] = (), check: Callable[[Any], str] | None = None) -> Any:  # noqa: A002
    """A field of an options dataclass.

    help: one sentence for ``--help``, the template and the docs. kind: '' or what the text names, one of 'read' (files to read),
    'folder' (a folder to read), 'write' (a folder to write). check: returns what is wrong with a value, '' where nothing is.
    """
    metadata = {"help": help, "kind": kind, "choices": tuple(choices), "check": check}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: list(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def share(value: float) -> str:
    """Check of an option that is a share of a whole."""
    return "" if 0.0 <= value < 1.0 else "expected a share from 0 up to, not including, 1"


def proper_share(value: float) -> str:
    """Check of an option that must lie strictly between none and all."""
    return "" if 0.0 < value < 1.0 else "expected a number between 0 and 1, such as 0.7"


def not_negative(value: float) -> str:
    """Check of an option that may be zero or above."""
    return "" if value >= 0 else "expected 0 or a number above it"


def positive(value: float) -> str:
    """Check of an option that must be above zero."""
    return "" if value > 0 else "expected a number above 0"


class UsageError(SystemExit):
    """A command line that cannot be run: one line on standard error, exit status 2."""

    def __init__(self, prog: str, message: str):
        self.message = " ".join(message.splitlines())
        print(f"{prog}: error: {self.message}", file=sys.stderr)
        super().__init__(2)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(self.prog, message)


def _boolean(text: str) -> bool:
    # Flex Templates pass booleans as --flag=true, which argparse's own boolean actions refuse.
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise ValueError(f"{text!r} given; expected true or false")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} given; expected a whole number") from None


def _number(text: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(value := float(text)):
            return value
    raise ValueError(f"{text!r} given; expected a number")


_CONVERTERS: dict[Any, Callable[[str], Any]] = {bool: _boolean, int: _integer, float: _number, str: str}


def _add_flag(parser: argparse.ArgumentParser, field: dataclasses.Field[Any], annotation: Any) -> None:
    # Choices are checked in _convert: argparse would refuse '' here, which means "not given".
    choices = field.metadata["choices"]
    extra: dict[str, Any] = {"metavar": "{" + ",".join(choices) + "}" if choices else field.name.upper()}
    if annotation is bool:
        extra = {"nargs": "?", "const": "true"}  # `--demo` alone means `--demo=true`
    parser.add_argument(
        *dict.fromkeys((f"--{field.name.replace('_', '-')}", f"--{field.name}")),
        dest=field.name,
        action="append",
        help=_described(field).replace("%", "%%"),
        **extra,
    )


def _described(field: dataclasses.Field[Any]) -> str:
    default = field.default if field.default is not dataclasses.MISSING else ""
    told = str(default).lower() if isinstance(default, bool) else str(default)
    return field.metadata["help"] + (f" Default: {told}." if told else "")


def parse(options: type[T], argv: Sequence[str], prog: str) -> tuple[T, list[str]]:
    """Options of a dataclass type from a command line, and the arguments that are Beam's.

    An option that is given empty counts as not given (a cleared optional field of a template arrives so). List options are
    repeated, or one value with commas; of any other option that is repeated, the last value holds. Raises UsageError (a
    SystemExit of status 2) that names the flag.
    """
    annotations = typing.get_type_hints(options)
    parser = _Parser(prog=prog, description=(options.__doc__ or "").strip(), allow_abbrev=False)
    fields = [field for field in dataclasses.fields(options) if "help" in field.metadata]  # type: ignore[arg-type]
    for field in fields:
        _add_flag(parser, field, annotations[field.name])
    known, rest = parser.parse_known_args(argv)
    values = {}
    for field in fields:
        given = [text for text in getattr(known, field.name) or [] if text != ""]
        if given:
            values[field.name] = _convert(prog, field, annotations[field.name], given)
    _refuse_unknown(prog, rest)
    return options(**values), rest


def _convert(prog: str, field: dataclasses.Field[Any], annotation: Any, given: list[str]) -> Any:
    flag = "--" + field.name.replace("_", "-")
    if annotation == list[str]:
        return [part for text in given for part in text.split(",") if part]
    text, choices = given[-1], field.metadata["choices"]
    try:
        value = _CONVERTERS[annotation](text)
    except ValueError as error:
        raise UsageError(prog, f"argument {flag}: {error}") from None
    problem = field.metadata["check"](value) if field.metadata["check"] else ""
    if choices and value not in choices:
        problem = f"expected one of {', '.join(choices)}"
    if problem:
        raise UsageError(prog, f"argument {flag}: {text!r} given; {problem}")
    return value


def _refuse_unknown(prog: str, rest: Sequence[str]) -> None:
    if not rest:
        return
    from apache_beam.options.pipeline_options import PipelineOptions

    beam_parser = _Parser(prog=prog, allow_abbrev=False, add_help=False, conflict_handler="resolve")
    for each in PipelineOptions.__subclasses__():
        if each.__module__.startswith("apache_beam."):
            each._add_argparse_args(beam_parser)
    _, unknown = beam_parser.parse_known_args(list(rest))
    if unknown:
        raise UsageError(prog, f"unknown argument {unknown[0]}; see {prog} --help for ours, and Beam's documentation for its own")
