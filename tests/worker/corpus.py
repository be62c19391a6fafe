"""Small workflows of every shape, each with what happens from outside and what must come of it."""

from tests.worker import corpus_branches, corpus_trouble
from tests.worker.workflows import CORPUS

__all__ = ["CORPUS"]

assert {corpus_branches.__name__, corpus_trouble.__name__}, "importing them fills the corpus"
