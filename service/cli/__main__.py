"""`python -m service.cli` is `crafty`."""

from service.cli import main

main()
