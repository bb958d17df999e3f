"""Graphs made smaller: dead units taken out, constant branches dropped, last layers cut off."""
