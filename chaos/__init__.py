"""Crash tests: real processes, killed at random moments, between stand-ins that remember everything."""
