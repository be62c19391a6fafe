"""The backend of the page: it gives out tokens, and the page itself once it is built.

The secret key stays in this process. A page gets a token that may start one run within a quarter
of an hour, and nothing else; Headrace answers that start with a token for this run alone.
"""

import os
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from headrace import auth

HEADRACE_URL = os.environ.get("HEADRACE_URL", "http://127.0.0.1:8700")
PORT = int(os.environ.get("PORT", "8701"))
PAGE = Path(__file__).parent / "dist"


async def access(_: Request) -> JSONResponse:
    """Say where Headrace is, with a token to start one run. Here you would look who is asking."""
    token = await auth.public_token(trigger=["publish-release"], uses=1, expires="15m")
    return JSONResponse(
        {"baseURL": HEADRACE_URL, "accessToken": token}, headers={"Cache-Control": "no-store"}
    )


def routes() -> list[BaseRoute]:
    """List what is served; the page only if it has been built (`npm run dev` serves its own)."""
    api: list[BaseRoute] = [Route("/api/access", access, methods=["POST"])]
    return [*api, Mount("/", StaticFiles(directory=PAGE, html=True))] if PAGE.is_dir() else api


if __name__ == "__main__":
    print(f"the backend is at http://127.0.0.1:{PORT}", flush=True)
    uvicorn.run(Starlette(routes=routes()), host="127.0.0.1", port=PORT, log_level="warning")
