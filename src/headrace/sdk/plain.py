"""Types that msgspec reads and writes: builtins, dataclasses, TypedDicts, Structs, dates and such.

Owns: how such values become JSON text and come back, and their schema.
Must never know: Pydantic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import inspect as forms

from headrace.sdk.faults import Fault, Path, Step, first_fault
from headrace.sdk.formats import Unfit, Unusable

_encode = msgspec.json.Encoder().encode
_WHERE = re.compile(r"^(?P<words>.*?)(?: - at `\$?(?P<path>.*?)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>[^\]]*)\]")


class Plain:
    """A type without Pydantic in it."""

    def __init__(self, form: Any) -> None:
        try:
            self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(form)
            self._tree = forms.type_info(form)
        except (TypeError, NameError) as error:
            raise Unusable(str(error)) from error
        nodes = list(_nodes(self._tree))
        for node in nodes:
            if isinstance(node, forms.CustomType):
                raise Unusable(f"{node.cls.__qualname__} has no JSON form")
        self._form = form
        self._anything = any(isinstance(node, forms.AnyType) for node in nodes)
        self._sets = any(isinstance(node, forms.SetType | forms.FrozenSetType) for node in nodes)

    def dump(self, value: object) -> bytes:
        """Return JSON text, the same for equal values in every process."""
        if self._sets:
            # The order of a set differs from process to process; a body that is sent again must
            # be the same. `order` alone would refuse dicts whose keys are numbers.
            value = msgspec.to_builtins(value, str_keys=True, order="deterministic")
        return _encode(value)

    def load(self, raw: bytes) -> object:
        """Return the value, or raise `Unfit`."""
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unfit((_located(str(error)),)) from None

    def fault(self, value: object) -> Fault | None:
        """Find what JSON does not carry: anywhere, and more strictly where any type may stand."""
        if self._anything:
            for path, part in _untyped(self._tree, value, ()):
                if fault := first_fault(part, strict=True, path=path):
                    return fault
        return first_fault(value, strict=False)

    @property
    def needs_look(self) -> bool:
        """Tell whether only `fault` can say if a value is fit."""
        return self._anything

    def schema(self) -> dict[str, Any]:
        """Return JSON Schema."""
        return msgspec.json.schema(self._form)


def _located(message: str) -> Fault:
    found = _WHERE.match(message)
    if found is None:
        return Fault((), message)
    steps: list[Step] = []
    for step in _STEP.finditer(found["path"] or ""):
        index = step["index"]
        steps.append(step["name"] if index is None else int(index) if index.isdigit() else index)
    return Fault(tuple(steps), found["words"])


def _nodes(root: forms.Type) -> Iterator[forms.Type]:
    """Yield every type that stands in `root`, each class once."""
    seen = set[int]()
    rest = [root]
    while rest:
        node = rest.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        rest.extend(_parts(node))


def _parts(node: forms.Type) -> list[forms.Type]:
    match node:
        case forms.Metadata():
            return [node.type]
        case forms.UnionType():
            return list(node.types)
        case forms.DictType():
            return [node.key_type, node.value_type]
        case forms.ListType() | forms.SetType() | forms.FrozenSetType() | forms.VarTupleType():
            return [node.item_type]
        case forms.TupleType():
            return list(node.item_types)
        case _:
            fields = cast("tuple[forms.Field, ...]", getattr(node, "fields", ()))
            return [field.type for field in fields]


def _untyped(node: forms.Type, value: object, path: Path) -> Iterator[tuple[Path, object]]:
    """Yield the parts of `value` for which the type allows anything."""
    match node:
        case forms.AnyType():
            yield path, value
        case forms.Metadata():
            yield from _untyped(node.type, value, path)
        case forms.UnionType():
            for choice in node.types:
                yield from _untyped(choice, value, path)
        case _:
            for step, below, part in _members(node, value):
                yield from _untyped(below, part, (*path, step))


def _members(node: forms.Type, value: object) -> Iterator[tuple[Step, forms.Type, object]]:
    """Yield what stands in a value, with its type, where the value has the type's shape."""
    match node, value:
        case forms.DictType(), dict():
            held = cast("dict[object, object]", value)
            yield from ((str(key), node.value_type, item) for key, item in held.items())
        case ((forms.ListType() | forms.VarTupleType()), (list() | tuple())):
            items = enumerate(cast("list[object]", value))
            yield from ((index, node.item_type, item) for index, item in items)
        case forms.TupleType(), (list() | tuple()):
            pairs = enumerate(zip(node.item_types, cast("list[object]", value), strict=False))
            yield from ((index, below, item) for index, (below, item) in pairs)
        case forms.TypedDictType(), dict():
            named = cast("dict[str, object]", value)
            yield from ((one.name, one.type, named.get(one.name)) for one in node.fields)
        case ((forms.DataclassType() | forms.StructType() | forms.NamedTupleType()), _):
            if isinstance(value, node.cls):
                yield from ((f.name, f.type, getattr(value, f.name, None)) for f in node.fields)
        case _:
            return
