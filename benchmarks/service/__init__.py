"""The HTTP service under load, kills and broken requests."""
