"""The acoustic model, a time-delay network, while it learns."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .front_end import CEPSTRA
from .phones import PDFS
from .shape import LAYERS, NORM_EPSILON, SUBSAMPLING, WIDTH


class Network(nn.Module):  # type: ignore[misc]
    def __init__(self, width: int = WIDTH, dropout: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(CEPSTRA))
        self.register_buffer("inverse_deviation", torch.ones(CEPSTRA))
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        for number, (kernel, dilation) in enumerate(LAYERS):
            self.convolutions.append(
                nn.Conv1d(
                    CEPSTRA if number == 0 else width,
                    width,
                    kernel,
                    stride=SUBSAMPLING if number == 1 else 1,
                    dilation=dilation if number < 2 else dilation // SUBSAMPLING,
                )
            )
            self.norms.append(nn.BatchNorm1d(width, NORM_EPSILON))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Conv1d(width, PDFS, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Batch x frames (CONTEXT more on either side) x CEPSTRA to batch x frames/3 x outputs, not normalised."""
        mean, inverse = cast(Tensor, self.mean), cast(Tensor, self.inverse_deviation)
        hidden = ((frames - mean) * inverse).transpose(1, 2)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            hidden = self.dropout(norm(torch.relu(convolution(hidden))))
        return cast(Tensor, self.out(hidden).transpose(1, 2))
