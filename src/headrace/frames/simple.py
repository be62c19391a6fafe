"""Lowers the statements that have no block: they keep one site, the rest goes before them.

Must never know: loops, handlers, functions.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from headrace.frames.awaits import Expression
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import assign_to, branch, constant, load, negated
from headrace.frames.sites import Step, any_site, has_site
from headrace.frames.slots import Slot, defaults_of, slots_of


def expression(lowering: Lowering, node: ast.Expr) -> list[Step]:
    """Lower an expression that stands alone."""
    done = Expression(lowering, node)
    node.value = done.lower(node.value, stays=True)
    done.close(node)
    return done.finished()


def returned(lowering: Lowering, node: ast.Return) -> list[Step]:
    """Lower a `return`; the frame is gone after it, so nothing need be let go of."""
    done = Expression(lowering, node)
    done.lower_slots(slots_of(node), stays=True)
    done.close(node)
    return done.steps


def raised(lowering: Lowering, node: ast.Raise) -> list[Step]:
    """Lower a `raise`, and its `from`."""
    done = Expression(lowering, node)
    done.lower_slots(slots_of(node), stays=True)
    done.close(node)
    return done.steps


def assigned(lowering: Lowering, node: ast.Assign) -> list[Step]:
    """Lower an assignment: the value first, then the targets from left to right."""
    done = Expression(lowering, node)
    if not any_site(node.targets):
        node.value = done.lower(node.value, stays=True)
        done.close(node)
        return done.finished()
    value = done.hold(done.lower(node.value, stays=True))
    for target in node.targets:
        _store(done, target, value)
    return done.finished()


def _store(done: Expression, target: ast.expr, value: ast.expr) -> None:
    if isinstance(target, ast.Tuple | ast.List) and has_site(target):
        parts = [_unpacked(done, element) for element in target.elts]
        target.elts = [part for part, _, _ in parts]
        done.close(assign_to(target, value))
        for _, element, held in parts:
            _store(done, element, held)
        return
    done.lower_slots(_places(target), stays=True)
    done.close(assign_to(target, value))


def _unpacked(done: Expression, element: ast.expr) -> tuple[ast.expr, ast.expr, ast.expr]:
    """Return where an element is unpacked to, what it belongs in, and how it is read."""
    name = done.lowering.temp("t")
    place: ast.expr = ast.Name(name, ast.Store())
    if isinstance(element, ast.Starred):
        return ast.Starred(place, ast.Store()), element.value, load(name)
    return place, element, load(name)


def _places(target: ast.expr) -> list[Slot]:
    return list(_targeted(target))


def _targeted(target: ast.expr) -> Iterator[Slot]:
    if isinstance(target, ast.Attribute | ast.Subscript):
        yield Slot(target, "value")
    if isinstance(target, ast.Subscript):
        yield Slot(target, "slice")


def augmented(lowering: Lowering, node: ast.AugAssign) -> list[Step]:
    """Lower `+=` and its like: the target is found and read once, before the value."""
    done = Expression(lowering, node)
    if isinstance(node.target, ast.Name) and done.is_stable(node.target) and _is_own(done, node):
        node.value = done.lower(node.value, stays=True)
        done.close(node)
        return done.finished()
    if not isinstance(node.target, ast.Name):
        for slot in _places(node.target):
            slot.put(done.held(slot.holds))
    old = done.hold(_read(node.target))
    value = done.lower(node.value, stays=True)
    done.close(ast.AugAssign(ast.Name(old.id, ast.Store()), node.op, value))
    done.close(assign_to(node.target, load(old.id)))
    return done.finished()


def _is_own(done: Expression, node: ast.AugAssign) -> bool:
    return isinstance(node.target, ast.Name) and done.lowering.scope.is_fast(node.target.id)


def _read(target: ast.expr) -> ast.expr:
    match target:
        case ast.Name():
            return load(target.id)
        case ast.Attribute():
            return ast.Attribute(target.value, target.attr, ast.Load())
        case ast.Subscript():
            return ast.Subscript(target.value, target.slice, ast.Load())
        case _:
            raise AssertionError(ast.dump(target))


def annotated(lowering: Lowering, node: ast.AnnAssign) -> list[Step]:
    """Lower an annotated assignment; a function evaluates no annotation of a variable."""
    if has_site(node.target) or node.value is None:
        if node.value is None:
            return expression(lowering, ast.Expr(_read(node.target)))
        return assigned(lowering, ast.Assign([node.target], node.value))
    done = Expression(lowering, node.value)
    node.value = done.lower(node.value, stays=True)
    done.close(node)
    return done.finished()


def deleted(lowering: Lowering, node: ast.Delete) -> list[Step]:
    """Lower a `del`, target after target."""
    done = Expression(lowering, node)
    for target in _flat(node.targets):
        done.lower_slots(_places(target), stays=True)
        done.close(ast.Delete([target]))
    return done.finished()


def _flat(targets: list[ast.expr]) -> Iterator[ast.expr]:
    for target in targets:
        if isinstance(target, ast.Tuple | ast.List):
            yield from _flat(target.elts)
        else:
            yield target


def asserted(lowering: Lowering, node: ast.Assert) -> list[Step]:
    """Lower an assertion, whose message is evaluated only when it fails."""
    fails: list[ast.stmt] = [ast.Assert(constant(False), node.msg)]
    wrong: list[ast.stmt] = [branch(negated(node.test), fails)]
    return lowering.steps([branch(load("__debug__"), wrong)])


def failed(lowering: Lowering, node: ast.Assert) -> list[Step]:
    """Lower an assertion that is known to fail: only its message is left."""
    done = Expression(lowering, node)
    done.lower_slots(slots_of(node)[1:], stays=True)
    done.close(node)
    return done.steps


def assertion(lowering: Lowering, node: ast.Assert) -> list[Step]:
    """Lower an assertion."""
    known = isinstance(node.test, ast.Constant) and node.test.value is False
    return failed(lowering, node) if known else asserted(lowering, node)


def defined(
    lowering: Lowering, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
) -> list[Step]:
    """Lower a definition whose decorators, defaults or bases wait."""
    done = Expression(lowering, node)
    slots = [Slot(node, "decorator_list", n) for n in range(len(node.decorator_list))]
    if isinstance(node, ast.ClassDef):
        slots += [Slot(node, "bases", n) for n in range(len(node.bases))]
        slots += [Slot(keyword, "value") for keyword in node.keywords]
    else:
        slots += defaults_of(node.args)
    last = max(n for n, slot in enumerate(slots) if has_site(slot.holds))
    for slot in slots[: last + 1]:
        slot.put(done.held(slot.holds, mapping=slot.is_mapping))
    done.close(node)
    return done.finished()
