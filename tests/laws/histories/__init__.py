"""Safety under random histories of the real controllers, in virtual time."""
