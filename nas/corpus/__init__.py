"""A corpus of sparse networks with measured accuracies: the data to fit and to test predictors of structure → accuracy."""
