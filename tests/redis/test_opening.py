"""What is said when a Redis is opened: one sentence on what is wrong, one on what to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from headrace.backends.clocks import CarriedClock
from headrace.backends.redis import open_redis
from headrace.backends.redis.faults import RIGHTS
from headrace.backends.redis.place import Place, place_of
from headrace.errors import HeadraceError, Mistake, Unavailable
from headrace.ports.waitmap import On
from tests.redis.given import RUN, A, answered, clock_of
from tests.redis.standin import standing_in
from tests.services.redis import RedisServer, free_port, redis_server

CLOCK = CarriedClock()


async def refused(url: str) -> HeadraceError:
    """Return why it cannot be opened."""
    with pytest.raises(HeadraceError) as caught:
        async with open_redis(url, clock=CLOCK, name="one"):
            pass
    error = caught.value
    assert error.hint, "what to do is missing"
    assert "S3cret" not in str(error)
    return error


async def works(url: str, clock: CarriedClock) -> None:
    async with open_redis(url, clock=clock, name="one", patience_s=5) as opened:
        async with asyncio.timeout(8):
            await opened.wakeups.hearing.wait()
        await opened.waitmap.parked(RUN, 1, frozenset({A}))
        await answered(opened.waitmap, On(frozenset({A})))
        await opened.link.ask("PUBLISH", "headrace:0", "[]")
        assert opened.link.trouble == ""


async def test_a_password_is_asked_for_and_checked() -> None:
    with redis_server({"requirepass": "S3cret/@:"}) as server:
        at = f"127.0.0.1:{server.port}/0"
        missing = await refused(f"redis://{at}")
        assert isinstance(missing, Mistake)
        assert "needs a password" in missing.message
        assert "redis://:PASSWORD@" in missing.hint
        wrong = await refused(f"redis://:S3cret@{at}")
        assert isinstance(wrong, Mistake)
        assert "refuses the user or the password" in wrong.message
        stranger = await refused(f"redis://S3cret:S3cret@{at}")
        assert "refuses the user or the password" in stranger.message
        clock = CarriedClock()
        async with open_redis(f"redis://:S3cret%2F%40%3A@{at}", clock=clock, name="one") as opened:
            assert opened.cautions == ()


async def test_a_password_that_nobody_asked_for_is_named(redis_of_all: RedisServer) -> None:
    error = await refused(f"redis://:S3cret@127.0.0.1:{redis_of_all.port}")
    assert "has no password" in error.message


async def test_the_rights_that_are_named_are_enough(breakable: RedisServer) -> None:
    rights = RIGHTS.removeprefix("Allow it ").removesuffix(".").split()
    breakable.do("ACL", "SETUSER", "mill", "on", ">pw", *rights)
    clock = clock_of(breakable)
    await works(f"redis://mill:pw@127.0.0.1:{breakable.port}/0", clock)
    breakable.do("ACL", "SETUSER", "mill", "-evalsha")
    url = f"redis://mill:pw@127.0.0.1:{breakable.port}/0"
    async with open_redis(url, clock=clock, name="one") as opened:
        await opened.waitmap.gone(RUN, 2)
        assert RIGHTS in opened.link.trouble


async def test_who_may_not_be_asked_about_itself_is_used_with_a_caution(
    breakable: RedisServer,
) -> None:
    breakable.do("ACL", "SETUSER", "mill", "on", ">pw", "~*", "&*", "+@all", "-info")
    url = f"redis://mill:pw@127.0.0.1:{breakable.port}/0"
    async with open_redis(url, clock=CLOCK, name="one") as opened:
        (caution,) = opened.cautions
        assert "INFO" in caution


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl"])
async def test_a_policy_that_drops_entries_is_a_caution(
    breakable: RedisServer, policy: str
) -> None:
    breakable.do("CONFIG", "SET", "maxmemory-policy", policy)
    async with open_redis(breakable.url(), clock=CLOCK, name="one") as opened:
        (caution,) = opened.cautions
        assert policy in caution
        assert "Set maxmemory-policy noeviction." in caution


async def test_where_nobody_is_that_is_said() -> None:
    error = await refused(f"redis://127.0.0.1:{free_port()}")
    assert isinstance(error, Unavailable)
    assert "cannot be reached" in error.message
    nowhere = await refused("redis://no-such-host.invalid")
    assert isinstance(nowhere, Unavailable)
    assert "no-such-host.invalid" in nowhere.message


async def test_a_database_that_is_not_there_is_named(redis_of_all: RedisServer) -> None:
    error = await refused(redis_of_all.url(99))
    assert isinstance(error, Mistake)
    assert "no database 99" in error.message


async def test_a_replica_is_refused(breakable: RedisServer, redis_of_all: RedisServer) -> None:
    breakable.do("REPLICAOF", "127.0.0.1", redis_of_all.port)
    error = await refused(breakable.url())
    assert "is a replica" in error.message
    assert "primary" in error.hint


async def test_a_cluster_is_refused() -> None:
    settings = {"cluster-enabled": "yes", "cluster-port": str(free_port()), "databases": "1"}
    with redis_server(settings) as server:
        assert "cluster" in (await refused(server.url())).message


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncGenerator[str]:
    """Stand in, labelled as such, for what is no Redis of today: a fixed answer to each read."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(65_536)
            writer.write(answer)
        await reader.read(65_536)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_what_is_no_redis_is_found_out() -> None:
    async with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as url:
        error = await refused(url)
    assert isinstance(error, Mistake)
    assert "no Redis or Valkey" in error.message
    async with answering(b"+OK\r\n", b"+PONG\r\n", b"$3\r\na:1\r\n") as url:
        assert "no Redis or Valkey" in (await refused(url)).message


async def test_what_says_nothing_is_given_up() -> None:
    async with answering(b"", b"") as url:
        error = await refused(url)
    assert isinstance(error, Unavailable)
    assert "cannot be reached" in error.message


async def test_an_old_redis_is_refused() -> None:
    told = b"redis_version:6.0.16\r\nrole:master\r\n"
    async with answering(b"+OK\r\n", b"+PONG\r\n", b"$%d\r\n%s\r\n" % (len(told), told)) as url:
        error = await refused(url)
    assert "is Redis 6.0.16" in error.message
    assert "6.2" in error.hint


async def test_who_is_still_loading_is_waited_for() -> None:
    asked = list[bytes]()

    def loading(command: bytes) -> bytes | None:
        asked.append(command)
        late = b"PING" in command and len(asked) < 6
        return b"-LOADING Redis is loading the dataset in memory\r\n" if late else None

    async with (
        standing_in(loading) as url,
        open_redis(url, clock=CLOCK, name="one") as opened,
    ):
        assert opened.cautions == ()
    assert len(asked) >= 6


def certified(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of this machine that speaks for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "headrace test")])
    now = datetime.now(UTC)
    here = x509.IPAddress(IPv4Address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([here]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    one, other = folder / "cert.pem", folder / "key.pem"
    one.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    other.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return one, other


async def test_tls_is_spoken_with_whom_one_trusts(tmp_path: Path) -> None:
    cert, key = certified(tmp_path)
    tls_port = free_port()
    settings = {
        "tls-port": str(tls_port),
        "tls-cert-file": str(cert),
        "tls-key-file": str(key),
        "tls-auth-clients": "no",
    }
    with redis_server(settings) as server:
        at = f"127.0.0.1:{tls_port}/0"
        await works(f"rediss://{at}?ca_file={cert}", clock_of(server))
        unknown = await refused(f"rediss://{at}")
        assert "by TLS" in unknown.message
        assert "ca_file" in unknown.hint
        plain = await refused(f"redis://{at}")
        assert "rediss://" in plain.hint
        other_way = await refused(f"rediss://127.0.0.1:{server.port}?ca_file={cert}")
        assert "write redis://" in other_way.hint
        absent = await refused(f"rediss://{at}?ca_file={tmp_path}/none.pem")
        assert "none.pem" in absent.message


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", Place("localhost")),
        ("redis://localhost:7000/3", Place("localhost", 7000, 3)),
        ("redis://:p%40ss@h/", Place("h", password="p@ss")),
        ("rediss://u:p@[::1]:1/2?ca_file=/a", Place("::1", 1, 2, "u", "p", tls=True, ca_file="/a")),
    ],
)
def test_a_url_is_read(url: str, place: Place) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis://:S3cret@h:port",
        "redis://:S3cret@h:70000",
        "redis://:S3cret@h/one",
        "redis://:S3cret@h/²",
        "redis://:S3cret@h?db=1",
        "redis://:S3cret@h?ca_file=/a",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Mistake) as caught:
        place_of(url)
    assert "S3cret" not in str(caught.value) + repr(caught.value.__cause__)
    assert "redis://" in caught.value.hint


def test_a_place_does_not_show_its_password() -> None:
    place = place_of("rediss://u:S3cret@[::1]/2")
    assert "S3cret" not in f"{place} {place!r}"
    assert str(place) == "rediss://[::1]:6379/2"


def test_without_the_library_one_sentence_says_what_to_install() -> None:
    program = "import sys; sys.modules['redis'] = None; import headrace.backends.redis"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=15
    )
    assert "hints by Redis need redis-py" in done.stderr
    assert "pip install 'headrace[redis]'" in done.stderr
