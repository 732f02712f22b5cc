"""``moobius-trio storage …``: what services have stored, looked at, copied out and in, and moved.

Nothing here runs a service or imports its code: records are bytes, and their types stand in them.
"""
