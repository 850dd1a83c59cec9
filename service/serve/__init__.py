"""Runs the processes: the API, a worker, and both with an embedded Redis; each imports only what it needs."""
