"""The reference page names what is served."""

import re
from pathlib import Path
from typing import Final

from headrace.server import protocol, run, sse, taking
from headrace.wire import http, jsontext
from tests.server.house import House

PAGE: Final = (Path(__file__).parents[2] / "docs/reference/http.md").read_text("utf-8")
ROUTE: Final = re.compile(r"\*\*`((?:GET|HEAD|POST|PUT) /[^`]*)`\*\*")


async def test_the_page_names_every_route_and_no_other(home: House) -> None:
    assert set(ROUTE.findall(PAGE)) == {route.name for route in home.door.routes}


async def test_the_page_names_every_parameter(home: House) -> None:
    for route in home.door.routes:
        for param in route.params:
            assert f"`{param.name}" in PAGE or f"`{param.name.title()}" in PAGE.replace(
                "-TTL", "-Ttl"
            ).replace("-ID", "-Id"), param.name


def test_the_page_says_every_error_with_its_status() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]*)\|", PAGE, re.MULTILINE)
    said = {(int(status), code) for status, cell in rows for code in re.findall(r"`(\w+)`", cell)}
    told = {(status, code) for code, status in http.STATUS.items() if code != "forbidden"}

    assert told <= said
    assert (403, "unauthorized") in said


def test_the_page_has_the_numbers_right() -> None:
    assert f"{jsontext.MAX_DATA:,} bytes" in PAGE
    assert f"at most {jsontext.MAX_DEPTH} deep" in PAGE
    assert f"at most {http.TRIGGER_BODY // 1_048_576} MiB" in PAGE
    assert f"every {sse.PING_S:.0f} s" in PAGE
    assert f"{protocol.HEAD_S:.0f} s for its head" in PAGE
    assert f"{protocol.BODY_S:.0f} s with less than" in PAGE
    assert f"at most {protocol.FIELDS} fields and {protocol.HEAD_BYTES // 1_024} KiB" in PAGE
    assert f"idle for {taking.KEEP_ALIVE_S:g} s" in PAGE
    assert f"up to {run.DRAIN_S} s" in PAGE
