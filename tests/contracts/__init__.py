"""Contracts that more than one implementation keeps: each suite here runs over all of them."""
