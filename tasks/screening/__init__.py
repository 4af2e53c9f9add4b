"""Leakage screening: can the answer be had without the image?"""
