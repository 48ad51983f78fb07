"""The common look of pages and plots."""
