"""Networks, data and caches that several scripts share."""
