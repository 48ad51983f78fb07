"""Measurements that compare Imagette with what people use otherwise, side by side in one run."""
