"""`python -m bench.scale`: work out what waiting runs cost, simulate them, and write it down.

Owns: the options, and what is simulated. Must never know: how anything is simulated.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench.scale import page
from bench.scale.plan import POLICIES, Disaster, calm, herd
from bench.scale.tally import Outcome
from bench.scale.told import simulated

SERVERS: Final = (1, 10, 100)
SHORT_RUNS: Final = 10_000
SEED: Final = 1


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says."""
    options = _options(arguments)
    blocks = {
        "parameters": page.parameters(),
        "model": page.model(),
        **tables(options.servers, options.runs, options.seed),
    }
    if options.write:
        page.put({**blocks, "short": short()})
    print("\n\n".join(blocks.values()))
    return 0


def short() -> str:
    """Return the tables of a simulation that takes a second: a test repeats it."""
    return "\n\n".join(tables(SERVERS, SHORT_RUNS, SEED).values())


def tables(servers: Sequence[int], runs: int, seed: int) -> dict[str, str]:
    """Simulate, and return the tables: a time without trouble, and with each trouble."""
    quiet = {count: _noted(count, runs, seed) for count in servers}
    herds: dict[tuple[Disaster, int, str], Outcome] = {
        (disaster, count, name): simulated(herd(count, runs, seed, disaster, policy))
        for disaster in Disaster
        if disaster is not Disaster.NONE
        for count in servers
        for name, policy in POLICIES.items()
    }
    return {"calm": page.calm(quiet), "herds": page.herds(herds)}


def _noted(count: int, runs: int, seed: int) -> Outcome:
    began = time.process_time()
    outcome = simulated(calm(count, runs, seed))
    took = time.process_time() - began
    print(f"servers: {count}, {runs:,} runs in {took:.1f} s of one core", file=sys.stderr)
    return outcome


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.scale", description=__doc__)
    parser.add_argument("--servers", type=_counts, default=SERVERS, help="how many, like 1,10,100")
    parser.add_argument("--runs", type=int, default=1_000_000, help="how many runs wait")
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed, the same figures")
    parser.add_argument(
        "--write", action="store_true", help=f"put the tables into {page.PAGE.name}"
    )
    return parser.parse_args(arguments)


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(_all_counts(text))
    if not counts or min(counts) < 1:
        raise argparse.ArgumentTypeError("there is at least one server")
    return counts


def _all_counts(text: str) -> Iterator[int]:
    for part in text.split(","):
        yield int(part)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
