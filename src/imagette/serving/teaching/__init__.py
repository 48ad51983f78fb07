"""Lessons: classes and pictures that people teach the server, and what it learns of them."""
