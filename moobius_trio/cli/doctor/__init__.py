"""``moobius-trio doctor``: what stands in the way of a service, and what to do about it.

Only looks: it changes nothing of the project, imports none of the author's code, and sends no
password unless it is told to.
"""
