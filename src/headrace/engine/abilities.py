"""What the streams of a store can do beside what all can.

Owns: that it is asked once: a look at a Protocol's verbs costs more than a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

from headrace.ports import Delivering, Extending, Sighting, Streams, Tallying


@dataclass(frozen=True, slots=True)
class Abilities:
    """`None` is what they cannot."""

    delivering: Delivering | None
    sighting: Sighting | None
    extending: Extending | None
    tallying: Tallying | None


def abilities(streams: Streams) -> Abilities:
    """Ask what they can do."""
    return Abilities(
        delivering=streams if isinstance(streams, Delivering) else None,
        sighting=streams if isinstance(streams, Sighting) else None,
        extending=streams if isinstance(streams, Extending) else None,
        tallying=streams if isinstance(streams, Tallying) else None,
    )
