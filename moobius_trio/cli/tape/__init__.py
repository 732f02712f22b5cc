"""``moobius-trio tape …``: what people do with a service, recorded, played again and checked.

What a tape is stands in ``moobius_trio.tapes``; here files are read and written, and words said.
"""
