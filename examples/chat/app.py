"""The backend of the page: it starts a conversation, and serves the page once it is built.

The secret key stays in this process. The page gets the public token of the run that was started
for it: it may follow that run and send to it, and nothing else.
"""

import os
from pathlib import Path

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from tasks import chat

HEADRACE_URL = os.environ.get("HEADRACE_URL", "http://127.0.0.1:8700")
PORT = int(os.environ.get("PORT", "8702"))
PAGE = Path(__file__).parent / "dist"
LONGEST = 2_000


class First(msgspec.Struct):
    """What the page sends."""

    question: str


async def begin(request: Request) -> JSONResponse:
    """Start a conversation. Here you would look who is asking, and tag the run with that."""
    try:
        first = msgspec.json.decode(await request.body(), type=First)
    except msgspec.MsgspecError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    if not 0 < len(first.question) <= LONGEST:
        return JSONResponse({"error": f"a question has 1 to {LONGEST} letters"}, status_code=400)
    handle = await chat.trigger(first.question)
    return JSONResponse(
        {"baseURL": HEADRACE_URL, "accessToken": handle.public_token, "run": handle.id},
        headers={"Cache-Control": "no-store"},
    )


def routes() -> list[BaseRoute]:
    """List what is served; the page only if it has been built (`npm run dev` serves its own)."""
    api: list[BaseRoute] = [Route("/api/chats", begin, methods=["POST"])]
    return [*api, Mount("/", StaticFiles(directory=PAGE, html=True))] if PAGE.is_dir() else api


if __name__ == "__main__":
    print(f"the backend is at http://127.0.0.1:{PORT}", flush=True)
    uvicorn.run(Starlette(routes=routes()), host="127.0.0.1", port=PORT, log_level="warning")
