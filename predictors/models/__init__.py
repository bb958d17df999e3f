"""The predictors, one per file."""
