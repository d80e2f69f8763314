"""Why a plan is as it is, and what would make an instance feasible."""
