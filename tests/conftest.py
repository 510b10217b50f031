"""For all tests."""

# Imported here, because pytest's hypothesis plug-in imports it at the end of a session otherwise, from deep within a
# call, where CPython 3.11 may fail with "AST constructor recursion depth mismatch".
from hypothesis import HealthCheck, settings

# how long an example takes says how busy the machine is
settings.register_profile("hansa", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hansa")
