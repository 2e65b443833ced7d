"""Sanitising: what is dropped, masked or hashed of an event before anything of it is stored."""
