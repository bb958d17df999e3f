"""Rows of tables, shared by the terminal, the page and JSON."""
