"""The packages: what is in them, and that they work where nothing else of pairvisor is."""
