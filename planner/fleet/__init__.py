"""Plans into the systems that run fleets, and what runs there back into instances and plans."""
