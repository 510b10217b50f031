"""What does this kind mean: its replicas, its health, its status, its dependencies?"""
