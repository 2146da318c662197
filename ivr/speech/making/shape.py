"""The network's shape: seven layers, each seeing its neighbours in time; one output frame for three input frames."""

from __future__ import annotations

SUBSAMPLING = 3
LAYERS = ((5, 1), (3, 1), (3, 3), (3, 3), (3, 3), (3, 6), (3, 9))
"""(kernel, dilation in input frames); from layer 1 on only every third frame is computed."""
CONTEXT = sum((kernel - 1) // 2 * dilation for kernel, dilation in LAYERS)
"""Frames seen on either side: 270 ms, which is also the delay of a partial result."""
WIDTH = 256
NORM_EPSILON = 1e-5
"""Added to the variance in batch norm."""
