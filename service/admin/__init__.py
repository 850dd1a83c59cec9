"""What admins use: the JSON API under /api/v1 and the console under /console."""
