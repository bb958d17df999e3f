"""Predictors for users: fit from a table, save, load, explain, encode many files, a scikit-learn estimator."""
