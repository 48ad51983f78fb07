"""How a network learns."""

import os

# PyTorch's threads wait for each other by spinning. Beside another busy program, OpenMP's default
# spins so long that training becomes several times slower; this lets go of the core sooner, and
# costs nothing on an idle machine. OpenMP reads it once, when PyTorch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
