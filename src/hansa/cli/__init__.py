"""Commands and printers."""
