"""Work done per CPU second, and how far from the least that the same writes can cost."""
