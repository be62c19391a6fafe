"""Small snapshots made smaller: what nearly all of them say is not written again.

Owns: the words that they share. Must never know: what they mean.
"""

from __future__ import annotations

import zlib
from typing import Final

# Part of the form of a snapshot: another text here needs another `sealing.FORM`. What is most
# common comes last, where pointing to it is cheapest.
_SHARED: Final = (
    b"asynciocollectionsdatetime\x94\x8c\x08datetimedecimalpathlib\x94\x8c\tPosixPath"
    b"\x8c\x16headrace.sdk.registry\x94\x8c\rdeclared_task\x94\x93\x94\x8c\x0fdeclared_stream\x94\x93\x94"
    b"\x8c\x14headrace.sdk.handles\x94\x8c\x06Handle\x94\x93\x94\x8c\x13headrace.sdk.codecs\x94"
    b"\x8c\tcodec_for\x94\x93\x94\x8c\x1fheadrace.frames.values_errored\x94"
    b"\x8c\x0bdataclasses\x94\x8c\x07copyreg\x94\x8c\x0e_reconstructor\x94\x93\x94)\x81\x94}\x94("
    b"\x8c\x08builtins\x94\x8c\x04iter\x94\x93\x94\x8c\x05range\x94\x93\x94K\x00K\x03K\x01\x87\x94R\x94"
    b"\x85\x94R\x94K\x01b\x88\x89N]\x94(\x95sleep\x95once:wait:approval\x91\x01\x00\x00\x00\xc2\xc3\xce"
    b"\xc0\xc0\xa0\xa0\xa9within 1h30mwithin 24hwithin 7d\x00\xc4F\x02\x03\x0b\x01\x01\x05tasks\x01"
    b"\x00\x0c\x00\x80\x05}\x94(K\x04K\x03\x8c\x02K\x02\x8c\x05K\x00K\x01u.\x80\x05}\x94K\x00\x88s."
)
_SMALL: Final = 16_384
"""What is larger is kept as it is: packing would hold the event loop up."""


def packed(content: bytes) -> bytes:
    """Return fewer bytes for a small snapshot, hardly more for a large one."""
    level = 6 if len(content) <= _SMALL else 0
    made = zlib.compressobj(
        level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_FIXED, _SHARED
    )
    return made.compress(content) + made.flush()


def unpacked(content: bytes) -> bytes:
    """Return what was packed, or raise ValueError."""
    reader = zlib.decompressobj(-zlib.MAX_WBITS, _SHARED)
    try:
        found = reader.decompress(content)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not reader.eof:
        raise ValueError("it is cut off")
    return found
