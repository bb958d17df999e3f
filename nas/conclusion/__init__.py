"""The end of a search: train winner and baselines again, use the test split once, export, and report."""
