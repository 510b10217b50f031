"""What several clusters' exports of a service make together, and what each cluster sees of it."""
