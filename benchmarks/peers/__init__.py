"""Formulations that a good user would write by hand, each in one file, to hold ours against.

Each runs by itself and prints one JSON document::

    python -m benchmarks.peers.cpsat_pairwise instances/medium.yaml --time-limit 60
"""
