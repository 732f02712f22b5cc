"""Who may come in from other machines: a token in a link, and the cookie that it is exchanged for.

Both are made for one run and live in memory only. Which requests need them is decided in ``guard``
(docs/architecture.md section 8). No route of the platform here, and nothing of its users.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from moobius_trio.types import Secret

__all__ = ("ENTER_PATH", "TOKEN_HEADER", "Access")

ENTER_PATH: Final = "/local/enter"
"""Where a browser exchanges the token, by POST, for its cookie."""

TOKEN_HEADER: Final = "X-Moobius-Token"  # noqa: S105 - its name
"""How it names the token there; a page of another origin cannot send such a header."""

_TOKEN_PATH: Final = "/token/"  # noqa: S105 - its place

_SCRIPT: Final = f"""
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname + location.search);
if (token) {{
  const request = {{ method: "POST", headers: {{ "{TOKEN_HEADER}": token }} }};
  fetch("{ENTER_PATH}", request).then((reply) => {{
    if (reply.ok) location.reload();
    else document.querySelector("p").textContent = "The token of this link is good no more.";
  }});
}}
"""
_DOOR: Final = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<link rel="icon" href="data:," />
<title>Moobius local platform</title>
<p>Open this page by the link that the terminal of the platform shows.</p>
<script type="module">{_SCRIPT}</script>
</html>
"""
_SCRIPT_HASH: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()


class Access:
    """The token and the cookie of one platform, once it is open to others."""

    def __init__(self) -> None:
        self._token = ""
        self._cookie = ""

    def open(self) -> Secret:
        """From now on the token given opens the platform to others; an earlier one no more."""
        self._token, self._cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        return Secret(self._token)

    def split(self, path: str) -> tuple[str, str]:
        """A path without ``/token/TOKEN`` before it, and that token; "" when there is none.

        Programs give the token so: it is part of the two addresses that they glue paths to.
        """
        if not self._token or not path.startswith(_TOKEN_PATH):
            return path, ""
        token, _, rest = path.removeprefix(_TOKEN_PATH).partition("/")
        return f"/{rest}", token

    def admits(self, scope: Scope, token: str) -> bool:
        """Whether the request has the cookie, or this is the token."""
        cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
        return _same(token, self._token) or _same(
            cookies.get(_cookie_name(scope), ""), self._cookie
        )

    def enter(self, scope: Scope) -> Response | None:
        """The answer with the cookie to a request with the token; None if it has another one."""
        if not _same(Headers(scope=scope).get(TOKEN_HEADER, ""), self._token):
            return None
        reply = Response(status_code=204)
        name = _cookie_name(scope)
        reply.set_cookie(name, self._cookie, httponly=True, samesite="strict")
        return reply

    def door(self, host: str) -> Response:
        """What a browser without a cookie is shown: HTTP 403, and a script that exchanges the token
        of the address, which stands behind its ``#`` so that it is sent nowhere else."""
        policy = (
            f"default-src 'none'; img-src data:; script-src 'sha256-{_SCRIPT_HASH}'; "
            f"connect-src http://{host}; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        return HTMLResponse(_DOOR, 403, {"Content-Security-Policy": policy})


def _same(given: str, known: str) -> bool:
    if not known:
        return False  # not open: nothing opens it
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode())


def _cookie_name(scope: Scope) -> str:
    """With the port: a browser gives a host's cookies to all its ports."""
    return f"moobius_{(scope.get('server') or ('', 0))[1]}"
