"""The use cases, over HTTP: another process's engine as if it were here."""

from headrace.client.api import Client, open_client
from headrace.client.target import Patience, Target

__all__ = ["Client", "Patience", "Target", "open_client"]
