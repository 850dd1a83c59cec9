"""The documentation: pages that are written from the code, and where links lead on the site. `make docs` uses it."""
