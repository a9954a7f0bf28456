"""What tests share: people, laboratories in the three modes, terminals, leak detectors, a private Docker Engine."""
