"""What tests of several tiers share: real processes, scratch databases, clients that keep books."""
