"""The record of a search: configuration, objectives, constraints, trials, journal, run folder."""
