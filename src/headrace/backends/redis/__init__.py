"""Redis or Valkey beside a database: hints between processes, and where runs are. Keeps nothing."""

from headrace.errors import Mistake

try:
    from headrace.backends.redis.opening import Examined, Opened, examine_redis, open_redis
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "redis":
        raise
    raise Mistake(
        "hints by Redis need redis-py, which is not installed",
        hint="pip install 'headrace[redis]'",
    ) from error

__all__ = ["Examined", "Opened", "examine_redis", "open_redis"]
