"""The platform's HTTP API over httpx, by subject. Importing it opens nothing and loads no httpx.

Wire names of bodies may not appear here; they are the codec's.
"""

from moobius_trio.network.http.api import HttpApi, open_http_api

__all__ = ("HttpApi", "open_http_api")
