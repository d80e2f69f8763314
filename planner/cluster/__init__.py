"""Work on several cores or several machines: jobs go to a pool, answers come back as they are ready.

:class:`.pool.Pool` is all that a command knows. :class:`.local.LocalPool` is the default: processes of this
host. :class:`.dask_pool.DaskPool` is a cluster of Dask workers, which comes with the extra ``cluster``.
Either way a job runs in a :class:`planner.seat.Seat`, a process pinned to its cores.

A cluster must be trusted: Dask sends jobs and answers as pickles, and whoever reaches the scheduler can run
anything on its workers. Nothing of that kind is ever read from a file.
"""
