"""What `experiments/hostile.py` sends: pictures, arrays and requests made to break a reader."""
