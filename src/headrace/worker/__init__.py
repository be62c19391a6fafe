"""A worker: claims runs through a `WorkApi`, executes them, gives them back.

Must never know: the engine, the server, how values are encoded.
"""

from headrace.worker.options import Options
from headrace.worker.worker import Outcome, Worker

__all__ = ["Options", "Outcome", "Worker"]
