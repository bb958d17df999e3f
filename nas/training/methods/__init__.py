"""Mask methods, which find the weights and the mask of a network together; one file per method."""

from nas.training.methods.method import Method, MethodError
from nas.training.methods.registry import METHODS, create, facts

__all__ = ["METHODS", "Method", "MethodError", "create", "facts"]
