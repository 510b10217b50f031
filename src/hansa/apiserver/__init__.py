"""Be an API server: everything kubectl and client libraries demand of one."""
