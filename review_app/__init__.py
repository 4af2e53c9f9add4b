"""review_app"""
