"""The HTTP door onto an `Api`: routes, credentials, streams of events, the worker channel."""

from headrace.server.calls import Apis
from headrace.server.door import Door
from headrace.server.leaving import Leaving
from headrace.server.rates import Rates
from headrace.server.run import serve
from headrace.server.unix import serve_unix

__all__ = ["Apis", "Door", "Leaving", "Rates", "serve", "serve_unix"]
