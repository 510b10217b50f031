"""What differs in one cluster?"""
