"""Measurements of time."""
