"""Every case of a value; importing this registers them."""

from tests.frames.values import errors, files, names, objects, plain, steps

__all__ = ["errors", "files", "names", "objects", "plain", "steps"]
