"""For all tests."""

# pytest's hypothesis plug-in imports this at the end of a session otherwise, from deep within a call, where CPython
# 3.11 may fail with "AST constructor recursion depth mismatch".
import hypothesis  # noqa: F401
