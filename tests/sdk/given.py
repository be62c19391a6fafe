"""Streams and a task that several tests of the verbs share."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, field_validator

from headrace import Ok, TimedOut, step, streams, task


@dataclass
class Post:
    title: str
    days: int = 7


@dataclass
class Published:
    title: str
    by: str


class Approval(BaseModel):
    approved: bool
    reviewer: str

    @field_validator("reviewer")
    @classmethod
    def not_empty(cls, value: str) -> str:
        if not value:
            raise ValueError("nobody")
        return value


approval = streams.input("approval", Approval)
strict = streams.input("strict", Approval, on_invalid="raise")
cancel = streams.input("cancel", str)
anything = streams.input("anything")
numbers = streams.input("numbers", int)
tokens = streams.output("tokens", str)
seen: list[Any] = []
"""What code outside the journal has noted; the fixture `h` empties it."""


YES = Approval(approved=True, reviewer="alice")


@step
async def prepare(post: Post) -> str:
    seen.append(post.title)
    return post.title.upper()


@task
async def publish(post: Post) -> Published:
    title = await prepare(post)
    match await approval.wait(timeout=timedelta(days=post.days)):
        case Ok(output=answer):
            return Published(title, answer.reviewer)
        case TimedOut(error=error):
            return Published(title, str(error))


@task
def publish_plainly(post: Post) -> Published:
    title = prepare.sync(post)
    answer = approval.sync.wait(timeout=timedelta(days=post.days))
    return Published(title, answer.output.reviewer if answer else str(answer.error))
