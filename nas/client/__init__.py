"""A client of the service: the verbs of the library, done by a server."""
