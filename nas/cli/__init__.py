"""The command line, with one file for each verb. Only the used verb is imported."""
