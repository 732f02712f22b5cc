"""``moobius-trio dev``: the platform in this process, the service in a child that is replaced.

``words`` is what the two say to each other, ``child`` the child's whole life, ``process`` one child
as its parent sees it, ``reloading`` when it is replaced, ``watching`` what is saved. No rule of the
platform and nothing of a run in production here.
"""
