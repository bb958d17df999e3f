"""The verbs, which the command line and the library both call: search, resume, train, export and others."""
