"""Capacity questions, answered with bounds: what if there were other machines, SLOs, replicas or prices?

A question is a set of :class:`~planner.whatif.point.Point`, an instance each. What is found for one of
them, a plan, a bound, a proof that there is none, is used for all the others it holds for
(:mod:`planner.whatif.inference`), so that few of them are solved (:mod:`planner.whatif.work`).
"""
