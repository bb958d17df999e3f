"""Model files: reading within limits, checking, and durable writing."""
