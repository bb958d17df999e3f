"""The accuracy that each mask method reaches."""
