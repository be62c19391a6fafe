"""A footing <-> its text. Many snapshots stand on one, so that it is written once for all."""

from __future__ import annotations

import msgspec

from headrace.kernel.model import Footing

_encode = msgspec.json.Encoder(order="deterministic").encode
footing_from = msgspec.json.Decoder(Footing).decode


def footing_text(footing: Footing | None) -> str:
    """Return the text of a footing, empty for none."""
    return "" if footing is None else _encode(footing).decode()
