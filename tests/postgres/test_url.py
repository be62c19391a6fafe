"""URLs that would be read otherwise than they were meant, and what is told of them."""

import pytest

from headrace.backends.postgres import shown
from headrace.backends.postgres.url import well_formed
from headrace.errors import Mistake

SECRETS = ("s3cr", "3t")
SIGN, PORT, NONE = "has to be escaped", "no port", "none of Postgres"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql:/s3cr3t", NONE),
        ("postgresql//u:s3cr3t@h/x", NONE),
        ("mysql://u:s3cr3t@h/x", NONE),
        ("u:s3cr3t@h/x", NONE),
        ("postgresql://u:s3cr#3t@h/x", SIGN),
        ("postgresql://u:s3cr/3t@h/x", SIGN),
        ("postgresql://u:s3cr@3/3t@h/x", SIGN),
        ("postgresql://u:s3cr?3t@h/x", SIGN),
        ("postgresql://u:s3cr3t@h:abc/x", PORT),
        ("postgresql://u:s3cr3t@h:0/x", PORT),
        ("postgresql://u:s3cr3t@h:65536/x", PORT),
        ("postgresql://u:s3cr3t@h:1:2/x", PORT),
        ("postgresql://u:s3cr3t@h:1,g:x/x", PORT),
        ("postgresql://u:s3cr3t@[::1/x", PORT),
        ("postgresql://u:s3cr3t@h:٣/x", PORT),
    ],
)
def test_a_malformed_url_is_refused_without_a_letter_of_it(url: str, says: str) -> None:
    with pytest.raises(Mistake, match=says) as told:
        well_formed(url)
    assert not [part for part in SECRETS if part in str(told.value)]
    assert told.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h/x",
        "postgres://u@h:65535/x?sslmode=require&pooler=transaction",
        "postgresql://u:s3cr%403t@[::1]:5432/x",
        "postgresql://u:s@3t@h,g:5433/x?target_session_attrs=primary",
        "postgresql:///x?host=/run/postgresql",
    ],
)
def test_others_are_taken_and_shown_without_user_and_password(url: str) -> None:
    well_formed(url)
    assert not [part for part in ("s3cr", "u:", "u@", "?") if part in shown(url)]
