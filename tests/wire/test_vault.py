"""What is sealed is read by the same master key at the same place, and by nobody else."""

import pytest

from headrace.errors import Mistake
from headrace.wire.vault import NONCE, Vault

SECRET, PLACE, MASTER = "tr_dev_0123456789", "dev/key_1", b"a master key of some length"
ONE, TWO = b"\x00" * NONCE, b"\x01" * NONCE


def test_what_is_sealed_comes_out_again() -> None:
    sealed = Vault(MASTER).seal(SECRET, PLACE, ONE)

    assert Vault(MASTER).open(sealed, PLACE) == SECRET
    assert SECRET.encode() not in sealed
    assert Vault(MASTER).seal(SECRET, PLACE, TWO) != sealed
    assert MASTER.decode() not in repr(Vault(MASTER))


@pytest.mark.parametrize("place", ["prod/key_1", "dev/key_2", "", "dev/key_1 "])
def test_a_seal_is_good_in_one_place(place: str) -> None:
    vault = Vault(MASTER)
    with pytest.raises(Mistake, match="another master key") as refused:
        vault.open(vault.seal(SECRET, PLACE, ONE), place)
    assert SECRET not in str(refused.value)


def test_another_master_key_opens_nothing() -> None:
    sealed = Vault(MASTER).seal(SECRET, PLACE, ONE)
    for other in (b"", MASTER + b" ", MASTER[:-1]):
        with pytest.raises(Mistake):
            Vault(other).open(sealed, PLACE)


def test_not_a_bit_of_a_seal_may_differ() -> None:
    sealed = Vault(MASTER).seal(SECRET, PLACE, ONE)
    for at in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(Mistake):
            Vault(MASTER).open(bytes(flipped), PLACE)
    for cut in (b"", sealed[:1], sealed[:NONCE], sealed[:-1], sealed + b"\x00"):
        with pytest.raises(Mistake):
            Vault(MASTER).open(cut, PLACE)


def test_a_proof_takes_the_master_key_and_is_always_the_same() -> None:
    proof = Vault(MASTER).proof("callback of a")

    assert Vault(MASTER).proof("callback of a") == proof
    others = {Vault(MASTER).proof("callback of b"), Vault(MASTER[:-1]).proof("callback of a")}
    assert len({proof, *others}) == 3
    assert {len(one) for one in {proof, *others}} == {32}
