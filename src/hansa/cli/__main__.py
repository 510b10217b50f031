"""`python -m hansa.cli`, for starting the program with the Python that runs now."""

from hansa.cli.main import main

main()
