"""What a search is to the API: its request, its configuration, its resource, its trials and files."""
