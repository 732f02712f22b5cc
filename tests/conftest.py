"""How the tests run; what tests share lives in moobius_trio/testing."""

from __future__ import annotations

from hypothesis import settings

# Installed, it is registered already under this name, and this changes nothing; from the checkout
# alone nobody else would load it.
pytest_plugins = ("moobius_trio.testing.plugin",)

# No verdict may hang on how fast the machine is. The rest stays as hypothesis chose it, which on a
# CI machine means the same examples in every run.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
