"""What every `Api` promises: the engine in this process and a client of one elsewhere alike.

Subclass it and give the fixture `api`: an `Api` bound to an environment that nothing else uses.
"""

from headrace.testing.contracts.api_blocked import BlockedApiContract
from headrace.testing.contracts.api_changes import ChangesApiContract
from headrace.testing.contracts.api_debounce import DebounceApiContract
from headrace.testing.contracts.api_feed import FeedApiContract
from headrace.testing.contracts.api_keys import KeysApiContract
from headrace.testing.contracts.api_outputs import OutputsApiContract
from headrace.testing.contracts.api_packets import PacketsApiContract
from headrace.testing.contracts.api_runs import RunsApiContract
from headrace.testing.contracts.api_saving import SavingApiContract
from headrace.testing.contracts.api_stream_tokens import StreamTokensApiContract
from headrace.testing.contracts.api_streams import StreamsApiContract
from headrace.testing.contracts.api_tokens import TokensApiContract
from headrace.testing.contracts.api_work import WorkApiContract


class ApiContract(
    RunsApiContract,
    ChangesApiContract,
    DebounceApiContract,
    PacketsApiContract,
    BlockedApiContract,
    FeedApiContract,
    StreamsApiContract,
    OutputsApiContract,
    TokensApiContract,
    StreamTokensApiContract,
    WorkApiContract,
    SavingApiContract,
    KeysApiContract,
):
    """One suite for every implementation."""
