"""Keep up with many API servers: caches, queues, controllers."""
