"""What would happen, and why is it as it is? Nothing here changes a federation."""
