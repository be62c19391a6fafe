"""What the lowering of one function keeps while it goes: its sites, and its hidden variables.

Owns: the numbering of sites, the stack of hidden variables, and which of them are live where.
Must never know: any kind of statement; the rules for them come in.

A hidden variable is named after its depth in the stack, so that statements share them and a frame
stays small. What is on the stack at a site is saved there, and nothing else that is hidden.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from headrace.frames.errors import Unfit
from headrace.frames.nodes import at
from headrace.frames.scopes import Scope
from headrace.frames.sites import Step, assembled, has_site

Rule: TypeAlias = "Callable[[Lowering, Any], list[Step]]"
Nested: TypeAlias = Callable[[ast.AsyncFunctionDef, Scope], None]


class Lowering:
    """One function on its way from the user's tree to one that can skip."""

    def __init__(self, scope: Scope, rules: Mapping[type[ast.stmt], Rule], nested: Nested) -> None:
        self.scope = scope
        self.nested = nested
        self.sites: list[tuple[str, ...]] = []
        self.puts_away = False
        self._rules = rules
        self._live: list[str] = []
        self._made: list[str] = []

    @property
    def count(self) -> int:
        """How many sites there are so far, and so the number of the last one."""
        return len(self.sites)

    def site(self) -> int:
        """Number a site; what is on the stack now is live there."""
        self.sites.append(tuple(self._live))
        return len(self.sites)

    def temp(self, kind: str) -> str:
        """Push a hidden variable."""
        name = f"@{kind}{len(self._live)}"
        self._live.append(name)
        self._made.append(name)
        return name

    def depth(self) -> int:
        """Return how high the stack is, for `release`."""
        return len(self._live)

    def release(self, depth: int) -> None:
        """Pop what was pushed since."""
        del self._live[depth:]

    def written(self) -> int:
        """Return how many hidden variables were ever pushed, for `dirty`."""
        return len(self._made)

    def dirty(self, since: int) -> list[str]:
        """Return what was pushed since, and so may still hold something."""
        return list(dict.fromkeys(self._made[since:]))

    def step(self, body: Sequence[ast.stmt], since: int) -> Step:
        """Return statements as a step with the sites that were numbered since."""
        if self.count == since:
            return Step(body)
        return Step(body, since + 1, self.count)

    def block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Lower a block of statements."""
        return assembled(self.steps(body)) if body else []

    def steps(self, body: Sequence[ast.stmt]) -> list[Step]:
        """Lower a block of statements; return it in steps."""
        return [step for statement in body for step in self._lowered(statement)]

    def _lowered(self, statement: ast.stmt) -> list[Step]:
        if not has_site(statement):
            return [Step([statement])]
        rule = self._rules.get(type(statement))
        if rule is None:
            raise Unfit(
                f"an await in {type(statement).__name__}",
                statement.lineno,
                "put what it awaits into a variable in a statement before it",
            )
        depth = self.depth()
        steps = rule(self, statement)
        self.release(depth)
        for step in steps:
            for each in step.body:
                at(statement, each)
        return steps
