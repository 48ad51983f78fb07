"""The same work on a Ray cluster: on the cores of this machine, or on many machines.

Nothing outside this folder imports Ray, and nothing but the command line imports this folder.
"""
