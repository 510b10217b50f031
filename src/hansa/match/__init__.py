"""Which policy claims this object?"""
