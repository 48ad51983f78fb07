"""Measurements that compare Imagette with the usual tools, side by side in one run."""
