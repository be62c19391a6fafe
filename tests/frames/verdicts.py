"""What came of a case: the answers of five processes become one verdict.

Must never know: how a process is started, or how a verdict is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Answer = Mapping[str, Any]
MODES: Final = ("decorator", "hook", "kept")


@dataclass(frozen=True, slots=True)
class Answers:
    """What the processes of one mode said of one case."""

    mode: str
    save: Answer
    resume: Answer


@dataclass(frozen=True, slots=True)
class Verdict:
    """One case on one Python."""

    name: str
    theme: str
    construct: str
    suspensions: int
    refusal: str
    faults: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Tell whether it did what it must."""
        return not self.faults


def judged(name: str, native: Answer, made: Sequence[Answers]) -> Verdict:
    """Compare what came of a case with what must come of it."""
    naming = native["naming"]
    faults = list[str]()
    if not naming and native.get("result") != native["gives"]:
        faults.append(f"Python itself gives {native.get('result', native.get('raised'))}")
    refusals = [_refusal(one.save) for one in made]
    for one, refusal in zip(made, refusals, strict=True):
        wrong = _refused(refusal, naming) if naming else _saved(one, refusal, native["gives"])
        faults.extend(f"{one.mode}: {fault}" for fault in wrong)
    return Verdict(
        name=name,
        theme=native["theme"],
        construct=native["construct"],
        suspensions=max((len(one.save.get("saved", ())) for one in made), default=0),
        refusal=next(filter(None, refusals), ""),
        faults=tuple(faults),
    )


def _refusal(save: Answer) -> str:
    text: str = save.get("not_resumable") or save.get("not_saved") or ""
    return text


def _refused(refusal: str, naming: Sequence[str]) -> list[str]:
    if not refusal:
        return ["was not refused"]
    return [
        f"the refusal does not name {name}: {refusal}" for name in naming if name not in refusal
    ]


def _saved(one: Answers, refusal: str, gives: str) -> list[str]:
    if refusal:
        return [f"was refused: {refusal}"]
    if "raised" in one.save:
        return [f"saving raised {one.save['raised']}"]
    faults = [f"put away, {effect}" for effect in one.save["effects"]]
    if one.save["result"] != gives:
        faults.append(f"transformed, it gave {one.save['result']}")
    if not one.save["saved"]:
        faults.append("was never suspended")
    results = one.resume.get("results")
    if results is None:
        return [*faults, f"resuming raised {one.resume.get('raised')}"]
    for n, result in enumerate(results):
        if result != gives:
            hops = "twice" if n % 2 else "once"
            faults.append(f"resumed {hops} at suspension {n // 2 + 1}, it gave {result}")
    return faults
