"""What every `Api` promises about secret keys, and about the tokens that it signs."""

from __future__ import annotations

import jwt
import pytest

from headrace.errors import BadRequest, Mistake, NotFound
from headrace.ports import Api
from headrace.wire.keys import KeyOrder, PublicTokenOrder, Realtime, Rotation

READS = KeyOrder(name="reader", scopes=["read:runs"])


class KeysApiContract:
    """Make, list, rotate, revoke; sign."""

    async def test_a_key_is_shown_once(self, api: Api) -> None:
        made = await api.create_key(KeyOrder(name="shop"))
        listed = (await api.list_keys()).data
        assert made.key in listed
        assert (made.key.kind, made.key.standing, made.key.name) == ("root", "active", "shop")
        assert made.secret.startswith(f"tr_{made.key.env}_")
        assert not made.secret.startswith(f"tr_{made.key.env}_sk_")
        assert made.key.hint == f"tr_{made.key.env}_…{made.secret[-4:]}"
        assert made.secret not in repr(listed)

    async def test_a_restricted_key_has_the_form_that_clients_know(self, api: Api) -> None:
        made = await api.create_key(READS)
        form = f"tr_{made.key.env}_sk_"
        assert (made.key.kind, made.key.scopes) == ("restricted", ["read:runs"])
        assert made.secret.startswith(form)
        rest = made.secret.removeprefix(form)
        assert (len(rest), rest.isalnum(), rest.isascii()) == (24, True, True)

    async def test_a_key_that_is_rotated_holds_beside_its_like(self, api: Api) -> None:
        old = await api.create_key(READS)
        new = await api.rotate_key(old.key.id, Rotation(grace="1h"))
        assert (new.key.name, new.key.scopes) == (old.key.name, old.key.scopes)
        assert new.secret != old.secret
        standing = {one.id: one.standing for one in (await api.list_keys()).data}
        assert (standing[old.key.id], standing[new.key.id]) == ("ending", "active")

    async def test_a_revoked_key_has_ended_and_stays_so(self, api: Api) -> None:
        made = await api.create_key(KeyOrder())
        for _ in range(2):
            assert (await api.revoke_key(made.key.id)).standing == "ended"
        with pytest.raises(Mistake, match="has ended"):
            await api.rotate_key(made.key.id, Rotation())

    async def test_what_is_no_key_cannot_be_ended(self, api: Api) -> None:
        with pytest.raises(NotFound, match="key_none"):
            await api.revoke_key("key_none")
        with pytest.raises(NotFound, match="key_none"):
            await api.rotate_key("key_none", Rotation())

    @pytest.mark.parametrize(
        "order",
        [
            KeyOrder(name="x" * 129),
            KeyOrder(name="two\nlines"),
            KeyOrder(scopes=[]),
            KeyOrder(scopes=["x" * 513]),
            KeyOrder(scopes=["read:runs"] * 201),
        ],
    )
    async def test_what_no_key_can_be_is_refused(self, api: Api, order: KeyOrder) -> None:
        before = await api.list_keys()
        with pytest.raises(BadRequest):
            await api.create_key(order)
        assert await api.list_keys() == before

    @pytest.mark.parametrize("grace", ["soon", "91d", -1])
    async def test_what_is_no_grace_is_refused(self, api: Api, grace: str | int) -> None:
        made = await api.create_key(KeyOrder())
        with pytest.raises(BadRequest):
            await api.rotate_key(made.key.id, Rotation(grace=grace))

    async def test_a_token_says_what_was_asked_for(self, api: Api) -> None:
        root = await api.create_key(KeyOrder())
        order = PublicTokenOrder(
            scopes=["write:inputStreams:run_1:approval"],
            expiration_time="1h",
            one_time_use=True,
            realtime=Realtime(skip_columns=("payload",)),
            uses=3,
            actor="alice",
        )
        read = _read((await api.public_token(order)).token)
        assert read["scopes"] == ["write:inputStreams:run_1:approval"]
        assert (read["sub"], read["pub"], read["otu"]) == (root.key.env, True, True)
        assert (read["uses"], read["act"]) == (3, {"sub": "alice"})
        assert read["realtime"] == {"skipColumns": ["payload"]}
        assert int(str(read["exp"])) - int(str(read["iat"])) == 3_600

    async def test_no_two_tokens_are_the_same(self, api: Api) -> None:
        await api.create_key(KeyOrder())
        order = PublicTokenOrder(scopes=["read:runs"])
        made = [(await api.public_token(order)).token for _ in range(10)]
        assert len(set(made)) == 10
        read = _read(made[0])
        assert int(str(read["exp"])) - int(str(read["iat"])) == 900
        assert not {"otu", "uses", "act", "realtime"} & set(read)

    @pytest.mark.parametrize(
        ("order", "why"),
        [
            (PublicTokenOrder(scopes=[]), "Invalid request body"),
            (PublicTokenOrder(scopes=["r"], expiration_time="soon"), "Invalid expiration time"),
            (PublicTokenOrder(scopes=["r"], expiration_time="-1h"), "must be in the future"),
            (PublicTokenOrder(scopes=["r"], expiration_time=-5), "must be in the future"),
            (PublicTokenOrder(scopes=["r"], expiration_time="31d"), "cannot exceed 30 days"),
            (PublicTokenOrder(scopes=["r"], expiration_time=1e300), "cannot exceed 30 days"),
            (PublicTokenOrder(scopes=["r"], uses=0), "uses is 1"),
            (PublicTokenOrder(scopes=["r"], actor="x" * 129), "actor has at most"),
            (PublicTokenOrder(scopes=[f"read:runs:{'x' * 400}"] * 20), "do not fit"),
        ],
    )
    async def test_what_no_token_can_be_is_refused(
        self, api: Api, order: PublicTokenOrder, why: str
    ) -> None:
        await api.create_key(KeyOrder())
        with pytest.raises(BadRequest, match=why):
            await api.public_token(order)


def _read(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims
