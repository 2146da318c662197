"""`make bench`: what this machine does. Figures are shown beside their targets and never asserted."""
