"""The console under /console: pages for admins and viewers, made on the server, that work without JavaScript."""
