"""Rows of tables: made once, shown in the terminal, on the page and as JSON."""
