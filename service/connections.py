"""A client for each system that is configured."""
