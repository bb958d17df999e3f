"""What each mask method reaches."""
