"""Is it acceptable, and what is defaulted?"""
