"""A service that plans what is submitted to it and loses nothing.

One folder holds everything in an SQLite database (:mod:`planner.serve.store`). The server process takes
requests (:mod:`planner.serve.app`); worker processes (:mod:`planner.serve.worker`) claim jobs and have each
solved in a child process. Any of them may be killed at any moment: what was acknowledged is in the database,
and what a dead process had claimed goes back to the queue.
"""
