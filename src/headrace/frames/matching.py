"""Lowers `match`: which case it is, is found first; the bodies follow as branches.

Must never know: patterns, functions.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from headrace.frames.awaits import Expression
from headrace.frames.lowering import Lowering
from headrace.frames.nodes import assign, branch, clear, compare, constant, either, load
from headrace.frames.sites import Step, any_site, has_site


def matched(lowering: Lowering, node: ast.Match) -> list[Step]:
    """Lower a `match`."""
    done = Expression(lowering, node.subject)
    if not any_site(node.cases):
        node.subject = done.lower(node.subject, stays=True)
        done.close(node)
        return done.finished()
    subject = lowering.temp("subject")
    done.into(subject, done.lower(node.subject, stays=True))
    steps = done.finished(keep=[subject])
    chosen = lowering.temp("case")
    finding = [assign(chosen, constant(0)), *_finding(subject, chosen, node.cases, 1)]
    steps += lowering.steps(finding)
    steps.append(Step(clear([subject])))
    body: list[ast.stmt] = []
    for number, case in reversed(list(enumerate(node.cases, 1))):
        body = [branch(_is(chosen, number), case.body, body)]
    return [*steps, *lowering.steps(body)]


def _is(chosen: str, number: int) -> ast.expr:
    return compare(load(chosen), ast.Eq(), constant(number))


def _finding(
    subject: str, chosen: str, cases: Sequence[ast.match_case], number: int
) -> list[ast.stmt]:
    """Find the first case that fits; one whose guard waits is asked apart."""
    plain: list[ast.match_case] = []
    for n, case in enumerate(cases, number):
        guard = case.guard if case.guard is not None and has_site(case.guard) else None
        found = assign(chosen, constant(n))
        plain.append(ast.match_case(case.pattern, None if guard else case.guard, [found]))
        if guard:
            one = ast.Match(load(subject), plain)
            fits = either(guard, constant(n), constant(0))
            asked = branch(_is(chosen, n), [assign(chosen, fits)])
            rest = _finding(subject, chosen, cases[n - number + 1 :], n + 1)
            return [one, asked, *([branch(_is(chosen, 0), rest)] if rest else [])]
    return [ast.Match(load(subject), plain)] if plain else []
