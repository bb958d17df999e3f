"""The HTTP service: searches, predictions, data sets and models behind a REST API (extra ``nas-sparse[service]``)."""
