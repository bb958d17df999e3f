"""The guided search: first what an expert would run, then methods and architectures, then the masks that were found, evolved."""
