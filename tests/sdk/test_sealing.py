"""Seals: only the workers' keys open a snapshot, only where it belongs, and only whole."""

import pytest
from hypothesis import given, strategies as st

from headrace.sdk.packing import packed, unpacked
from headrace.sdk.sealing import NotOpened, Sealer

OURS = Sealer.of(["the key of these workers"])
PLACE = b"run_1/3"


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_was_sealed_is_opened(content: bytes, place: bytes) -> None:
    assert OURS.opened(place, OURS.sealed(place, content)) == content


@given(st.binary(max_size=40), st.data())
def test_a_changed_byte_is_found(content: bytes, data: st.DataObject) -> None:
    sealed = bytearray(OURS.sealed(PLACE, content))
    at = data.draw(st.integers(0, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(NotOpened):
        OURS.opened(PLACE, bytes(sealed))


def test_the_seal_covers_the_end_of_much() -> None:
    """Of the sources, which are run like all else."""
    sealed = bytearray(OURS.sealed(PLACE, bytes(200_000)))
    for at in (-1, -100_000, -190_000):
        sealed[at] ^= 1
        with pytest.raises(NotOpened, match="broken"):
            OURS.opened(PLACE, bytes(sealed))
        sealed[at] ^= 1


def test_what_is_cut_off_is_found() -> None:
    sealed = OURS.sealed(PLACE, b"content")
    for length in range(len(sealed)):
        with pytest.raises(NotOpened):
            OURS.opened(PLACE, sealed[:length])


@pytest.mark.parametrize("place", [b"run_2/3", b"run_1/4", b"run_1/", b""])
def test_a_snapshot_does_not_stand_for_another(place: bytes) -> None:
    with pytest.raises(NotOpened, match="broken"):
        OURS.opened(place, OURS.sealed(PLACE, b"content"))


def test_the_place_ends_where_it_ends() -> None:
    with pytest.raises(NotOpened, match="broken"):
        OURS.opened(
            PLACE + b"c", OURS.sealed(PLACE, b"content").replace(b"content", b"content"[1:])
        )


def test_another_key_is_said_to_be_another() -> None:
    with pytest.raises(NotOpened, match="a key that this worker does not have"):
        Sealer.of(["someone else's key"]).opened(PLACE, OURS.sealed(PLACE, b"content"))


def test_the_first_key_seals_and_all_open() -> None:
    both = Sealer.of(["the next key", "the key of these workers"])
    assert both.opened(PLACE, OURS.sealed(PLACE, b"old")) == b"old"
    assert Sealer.of(["the next key"]).opened(PLACE, both.sealed(PLACE, b"new")) == b"new"
    with pytest.raises(NotOpened):
        OURS.opened(PLACE, both.sealed(PLACE, b"new"))


@given(st.binary(max_size=2_000) | st.binary(min_size=10, max_size=20).map(lambda b: b * 2_000))
def test_what_was_packed_is_unpacked(content: bytes) -> None:
    assert unpacked(packed(content)) == content


def test_large_content_is_hardly_longer() -> None:
    content = bytes(range(256)) * 4_096
    assert len(packed(content)) < len(content) + 200


@pytest.mark.parametrize("damage", [b"", b"\xff", b"\x07" * 9])
def test_what_cannot_be_unpacked_is_said(damage: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - zlib's words differ
        unpacked(damage)
    with pytest.raises(ValueError, match="cut off"):
        unpacked(packed(b"content")[:-1])
