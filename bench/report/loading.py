"""Dataclasses from JSON that nobody vouches for: what is wrong is said with where it stands."""

import dataclasses
import json
import typing
from typing import Any

LONGEST = 1000  # Characters of a text; more than anything that compare writes.
LARGEST = 1e18  # Of a number; more than any figure.


class Malformed(Exception):
    """What is wrong with the file, in one line."""


def parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise Malformed("is not JSON") from None


def _refuse(name: str) -> None:
    raise ValueError(name)


def clean(text: str) -> str:
    """One line that can be written: no control characters, no halves of characters."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"


def load(kind: Any, value: Any, where: str = "") -> Any:
    """`value` as a dataclass, or what the members of one may be. Members that are missing have their
    defaults."""
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _load_members(kind, value, where)
    whole, of = typing.get_origin(kind), typing.get_args(kind)
    if whole is list:
        return [load(of[0], each, f"{where}[{at}]") for at, each in enumerate(_checked(list, value, where))]
    if whole is dict:
        return {clean(key): load(of[1], each, f"{where}.{key}")
                for key, each in _checked(dict, value, where).items()}
    if whole is typing.Union:  # Optional.
        return None if value is None else load(of[0], value, where)
    if kind in (int, float):
        return kind(_number(value, where))
    return clean(_checked(str, value, where)) if kind is str else _checked(kind, value, where)


def _load_members(kind: Any, value: Any, where: str) -> Any:
    _checked(dict, value, where)
    members = {}
    for name, of in typing.get_type_hints(kind).items():
        field = kind.__dataclass_fields__[name]
        place = f"{where}.{name}".lstrip(".")
        if name in value:
            members[name] = load(of, value[name], place)
        elif field.default is field.default_factory is dataclasses.MISSING:
            raise Malformed(f"{place} is missing")
    return kind(**members)


NAMES = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}


def _checked(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind):
        raise Malformed(f"{clean(where) or 'all of it'} is not {NAMES[kind]}")
    return value


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Malformed(f"{clean(where)} is not a number")
    if not abs(value) <= LARGEST:
        raise Malformed(f"{clean(where)} is out of range")
    return value
