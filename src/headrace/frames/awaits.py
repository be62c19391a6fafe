"""Takes the sites out of an expression, so that a statement has one at most, where it can resume.

Owns: the order of evaluation. What Python evaluates before a site is held in hidden variables (or
      is such that evaluating it again gives the same), what it evaluates after stays as it is.
Must never know: statements, blocks, functions.

So `f(a(), await b(), c())` becomes `@t0 = f; @t1 = a(); @t0(@t1, await b(), c())`, of which only
the last is done when the function resumes there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from headrace.frames.comprehensions import as_function
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import (
    SITE,
    assign,
    at,
    branch,
    clear,
    constant,
    either,
    load,
    negated,
    running,
    runtime,
    stepped,
    within,
)
from headrace.frames.sites import (
    COMPREHENSIONS,
    Comprehension,
    Step,
    any_site,
    assembled,
    has_site,
    is_async_comprehension,
    is_site,
    own_walk,
)
from headrace.frames.slots import Slot, slots_of

Fill = Callable[[], None]


class Expression:
    """The expressions of one statement on their way to steps."""

    def __init__(self, lowering: Lowering, *whole: ast.AST | None) -> None:
        self.lowering = lowering
        self.steps: list[Step] = []
        self._inline = 0
        self._written = lowering.written()
        parts = [part for root in whole if root is not None for part in own_walk(root)]
        self._lonely = sum(map(is_site, parts)) == 1
        self._rebound = {part.target.id for part in parts if isinstance(part, ast.NamedExpr)}

    def close(self, statement: ast.stmt) -> None:
        """Make a step of a statement, which may have the site that stays in it."""
        number, self._inline = self._inline, 0
        if number:
            self.steps.append(Step([assign(SITE, constant(number)), statement], number, number))
        else:
            self.steps.append(Step([statement]))

    def finished(self, *, keep: Sequence[str] = ()) -> list[Step]:
        """Return the steps, the last of which lets go of what was held."""
        done = [name for name in self.lowering.dirty(self._written) if name not in keep]
        return [*self.steps, Step(clear(done))] if done else self.steps

    def lower(self, node: ast.expr, *, stays: bool) -> ast.expr:
        """Return it without sites, or with one where that may stay, as the first thing done."""
        if not has_site(node):
            return node
        match node:
            case ast.Await():
                value = self.lower(node.value, stays=False)
                return self._paused(node, ast.Await(_skipped(value)), stays=stays)
            case ast.Yield():
                given = constant(None) if node.value is None else node.value
                value = self.lower(given, stays=False)
                return self._paused(node, ast.Yield(_skipped(value)), stays=stays)
            case ast.BoolOp() if any_site(node.values[1:]):
                return self._boolean(node, lambda value: self.lower(value, stays=True))
            case ast.IfExp() if has_site(node.body) or has_site(node.orelse):
                return self._conditional(node)
            case ast.Compare() if any_site(node.comparators[1:]):
                return self._comparison(node)
            case _ if isinstance(node, COMPREHENSIONS) and is_async_comprehension(node):
                return self._comprehension(node, stays=stays)
            case _:
                return self._in_order(node, stays=stays)

    def lower_slots(self, slots: Sequence[Slot], *, stays: bool) -> None:
        """Hold all that is evaluated before the last site; lower that where it stands."""
        last = max((n for n, slot in enumerate(slots) if has_site(slot.holds)), default=-1)
        for slot in slots[: max(last, 0)]:
            slot.put(self.held(slot.holds, mapping=slot.is_mapping))
        if last >= 0:
            slots[last].put(self.lower(slots[last].holds, stays=stays))

    def hold(self, node: ast.expr) -> ast.Name:
        """Evaluate it now, into a hidden variable."""
        name = self.lowering.temp("t")
        self.into(name, node)
        return load(name)

    def into(self, name: str, node: ast.expr) -> None:
        """Evaluate it now, into this variable."""
        self.close(assign(name, node))

    def held(self, node: ast.expr, *, mapping: bool = False) -> ast.expr:
        """Evaluate it now, unless evaluating it later gives the same; return what stands for it."""
        if self.is_stable(node) and not mapping:
            return node
        node = self.lower(node, stays=True)
        match node:
            case ast.Starred():
                return ast.Starred(self.hold(ast.List([node], ast.Load())), ast.Load())
            case ast.FormattedValue():
                return ast.FormattedValue(self.hold(ast.JoinedStr([node])), -1, None)
            case ast.Slice():
                parts = (node.lower, node.upper, node.step)
                return self.hold(runtime("sliced", *(part or constant(None) for part in parts)))
            case _ if type(node).__name__ == "Interpolation":
                return self._interpolated(node)
            case _:
                return self.hold(ast.Dict([None], [node]) if mapping else node)

    def _interpolated(self, node: ast.expr) -> ast.expr:
        for slot in slots_of(node):
            kept = self.hold(slot.holds)
            slot.put(
                kept if slot.name == "value" else ast.JoinedStr([ast.FormattedValue(kept, -1)])
            )
        return node

    def is_stable(self, node: ast.expr) -> bool:
        """Tell whether nothing that happens until the next site can change what it gives."""
        match node:
            case ast.Constant():
                return True
            case ast.Name():
                return node.id.startswith("@") or self._is_steady(node.id)
            case ast.Lambda():
                return not slots_of(node)
            case ast.UnaryOp():
                return isinstance(node.operand, ast.Constant)
            case ast.Tuple() | ast.List():
                return all(map(self.is_stable, node.elts))
            case _:
                return False

    def _is_steady(self, name: str) -> bool:
        """Tell whether only this frame can change a variable, and does not before its only site."""
        fast = self.lowering.scope.is_fast(name)
        return self._lonely and fast and name not in self._rebound

    def truth(self, node: ast.expr) -> ast.expr:
        """Lower what is only asked whether it is true: that question is put to each part once."""
        match node:
            case ast.BoolOp() if any_site(node.values[1:]):
                return self._boolean(node, lambda value: negated(negated(self.truth(value))))
            case ast.UnaryOp(op=ast.Not()):
                return negated(self.truth(node.operand))
            case _:
                return self.lower(node, stays=True)

    def condition(self, node: ast.expr) -> ast.expr:
        """Evaluate a test now; return what stands for it: the test itself where it has no site."""
        if not has_site(node):
            return node
        depth = self.lowering.depth()
        test = negated(negated(self.truth(node)))
        self.lowering.release(depth)
        name = self.lowering.temp("t")
        self.into(name, test)
        self.lowering.release(depth)
        self.steps = self.finished(keep=[name])
        return load(name)

    def _paused(self, like: ast.expr, node: ast.expr, *, stays: bool) -> ast.expr:
        self._inline = self.lowering.site()
        at(like, node)
        return node if stays else self.hold(node)

    def _in_order(self, node: ast.expr, *, stays: bool) -> ast.expr:
        # Nothing can be assigned, and so no site can stay, where a comprehension gets its items.
        self.lower_slots(slots_of(node), stays=stays and not isinstance(node, COMPREHENSIONS))
        return node

    def _when(self, test: ast.expr, yes: Fill, no: Fill | None = None) -> None:
        """Do what is filled in only if; a site in it is reached whatever the test says."""
        since = self.lowering.count
        body = self._apart(yes)
        middle = self.lowering.count
        orelse = self._apart(no) if no else []
        if self.lowering.count > since:
            test = either(
                running(), test, within(since + 1, middle) if middle > since else constant(False)
            )
        self.steps.append(self.lowering.step([branch(test, body, orelse)], since))

    def _apart(self, fill: Fill) -> list[ast.stmt]:
        before, self.steps = self.steps, []
        fill()
        inside, self.steps = self.steps, before
        return assembled(inside)

    def _boolean(self, node: ast.BoolOp, lowered: Callable[[ast.expr], ast.expr]) -> ast.expr:
        name = self.lowering.temp("t")
        test = load(name) if isinstance(node.op, ast.And) else negated(load(name))

        def chain(values: list[ast.expr]) -> None:
            self.into(name, lowered(values[0]))
            if values[1:]:
                self._when(test, lambda: chain(values[1:]))

        chain(node.values)
        return load(name)

    def _conditional(self, node: ast.IfExp) -> ast.expr:
        name = self.lowering.temp("t")
        test = self.truth(node.test)
        if self._inline:
            test = self.hold(negated(negated(test)))

        def fill(value: ast.expr) -> Fill:
            return lambda: self.into(name, self.lower(value, stays=True))

        self._when(test, fill(node.body), fill(node.orelse))
        return load(name)

    def _comparison(self, node: ast.Compare) -> ast.expr:
        name = self.lowering.temp("t")

        def chain(left: ast.expr, operators: list[ast.cmpop], rest: list[ast.expr]) -> None:
            if not any_site(rest[1:]):
                right = self.lower(rest[0], stays=True)
                self.into(name, ast.Compare(left, operators, [right, *rest[1:]]))
                return
            right = self.held(rest[0])
            self.into(name, ast.Compare(left, operators[:1], [right]))
            self._when(load(name), lambda: chain(right, operators[1:], rest[1:]))

        chain(self.held(node.left), node.ops, node.comparators)
        return load(name)

    def _comprehension(self, node: Comprehension, *, stays: bool) -> ast.expr:
        first = node.generators[0]
        helper = "aiterate" if first.is_async else "iterate"
        source = at(node, runtime(helper, self.lower(first.iter, stays=False)))
        made = at(node, as_function(node, self.lowering.scope, self.lowering.nested))
        self.steps.append(Step([made]))
        running_it = at(node, ast.Call(load(made.name), [source], []))
        if isinstance(node, ast.GeneratorExp):
            return running_it
        return self._paused(node, ast.Await(_skipped(running_it)), stays=stays)


def _skipped(value: ast.expr) -> ast.expr:
    return either(running(), value, stepped("child"))
