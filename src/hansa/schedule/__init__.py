"""Where, and how many?"""
