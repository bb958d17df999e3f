"""The command line, one file a verb. Only the verb that is used is imported."""
