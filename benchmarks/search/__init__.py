"""Comparisons of a search with other uses of the same number of trainings."""
