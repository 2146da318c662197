"""The trained network as Kaldi's `am/final.mdl`, batch norm folded into the layer that follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kaldi_format import BINARY, EMPTY_DOUBLE, integer, matrix, token, vector
from .shape import CONTEXT, LAYERS, NORM_EPSILON
from .transitions import transition_model

Numbers = NDArray[Any]


def final_mdl(weights: Mapping[str, Numbers], prior: Numbers) -> bytes:
    """`weights` by their names in `Network`."""
    return BINARY + transition_model() + _nnet(weights, prior)


def _nnet(weights: Mapping[str, Numbers], prior: Numbers) -> bytes:
    config = [f"input-node name=input dim={len(weights['mean'])}"]
    components: list[tuple[str, bytes]] = []
    scale, shift = weights["inverse_deviation"], -weights["mean"] * weights["inverse_deviation"]
    before = "input"
    for number, (kernel, dilation) in enumerate(LAYERS):
        linear, bias = weights[f"convolutions.{number}.weight"], weights[f"convolutions.{number}.bias"]
        bias = bias + (linear * shift[None, :, None]).sum((1, 2))
        linear = np.concatenate([linear[:, :, tap] * scale[None] for tap in range(kernel)], 1)
        offsets = [(tap - (kernel - 1) // 2) * dilation for tap in range(kernel)]
        spliced = ", ".join(f"Offset({before}, {offset})" if offset else before for offset in offsets)
        affine, rectified = f"affine{number}", f"relu{number}"
        config.append(f"component-node name={affine} component={affine} input=Append({spliced})")
        config.append(f"component-node name={rectified} component={rectified} input={affine}")
        components += [(affine, _affine(linear, bias)), (rectified, _simple("RectifiedLinear", len(bias)))]
        before = rectified
        scale, shift = _folded(weights, number)
    linear, bias = weights["out.weight"][:, :, 0], weights["out.bias"]
    components += [
        ("last", _affine(linear * scale[None], bias + linear @ shift)),
        ("log", _simple("LogSoftmax", len(bias))),
    ]
    config += [
        f"component-node name=last component=last input={before}",
        "component-node name=log component=log input=last",
        "output-node name=output input=log objective=linear",
    ]
    out = token("<Nnet3>") + b"\n" + ("\n".join(config) + "\n\n").encode()
    out += token("<NumComponents>") + integer(len(components))
    for name, component in components:
        out += token("<ComponentName>") + token(name) + component
    out += token("</Nnet3>") + token("<LeftContext>") + integer(CONTEXT) + token("<RightContext>") + integer(CONTEXT)
    return out + token("<Priors>") + vector(prior)


def _folded(weights: Mapping[str, Numbers], number: int) -> tuple[Numbers, Numbers]:
    """Batch norm as one scale and one shift."""
    name = f"norms.{number}"
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + NORM_EPSILON)
    return scale, weights[f"{name}.bias"] - weights[f"{name}.running_mean"] * scale


def _affine(linear: Numbers, bias: Numbers) -> bytes:
    kind = "FixedAffineComponent"
    body = token("<LinearParams>") + matrix(linear) + token("<BiasParams>") + vector(bias)
    return token(f"<{kind}>") + body + token(f"</{kind}>")


def _simple(kind: str, size: int) -> bytes:
    """A component without weights; its training statistics are empty."""
    kind += "Component"
    body = token("<Dim>") + integer(size)
    for name, empty in (
        ("ValueAvg", vector([])),
        ("DerivAvg", vector([])),
        ("Count", EMPTY_DOUBLE),
        ("OderivRms", vector([])),
        ("OderivCount", EMPTY_DOUBLE),
        ("NumDimsSelfRepaired", EMPTY_DOUBLE),
        ("NumDimsProcessed", EMPTY_DOUBLE),
    ):
        body += token(f"<{name}>") + empty
    return token(f"<{kind}>") + body + token(f"</{kind}>")
