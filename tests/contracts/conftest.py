"""Contracts are tests: let pytest say what differs in their asserts, too."""

import pytest

pytest.register_assert_rewrite("headrace.testing.contracts")
