"""What `serve` and `dev` set for their whole process: in a process of its own."""

import subprocess
import sys

ASKED = """
import gc, resource
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
from headrace.app.process import serve_many
before = gc.get_threshold()
serve_many()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
assert gc.isenabled() and gc.get_freeze_count() > 10_000
now = gc.get_threshold()
assert now[:2] == (700, 10) and now[2] > before[2], now
print("as it should be")
"""


def test_whoever_serves_may_hold_many_connections_and_stops_seldom() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, check=False)
    assert done.stdout == b"as it should be\n", done.stderr.decode()
