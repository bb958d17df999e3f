"""Configuration and record of a search: objectives, constraints, trials, journal, run folder."""
