"""Crafty: a remote team's process chores, done kindly, once, and at the right time."""
