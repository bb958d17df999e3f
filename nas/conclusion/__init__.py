"""The end of a search: train winner and baselines again, read the test split once, export, report."""
