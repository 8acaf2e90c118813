"""The HTTP side of a server: what tests in any language drive it with, and what watches it.

In the extra `http`; imported only by `kstream serve --http`.
"""

from kstream.web.serve import HttpServer

__all__ = ["HttpServer"]
