"""Candidates as JSON: digest, round trip, refusal of anything else, one golden candidate a space."""

import hashlib
import json
import subprocess
import sys

import onnx
import pytest

from search_spaces import Candidate, InvalidCandidateError, MaskEdit, MaskRecipe, Signature, create
from search_spaces.testing import serialized

PLAIN = Candidate(space="mlp", architecture={"depth": 1}, mask=MaskRecipe(density=0.5, seed=3))


def test_digest_is_that_of_the_content():
    assert PLAIN.digest == Candidate.from_json(PLAIN.to_json()).digest
    assert len(PLAIN.digest) == 16
    assert PLAIN.digest != Candidate(space="mlp", architecture={"depth": 2}, mask=PLAIN.mask).digest
    assert (
        PLAIN.digest != Candidate(space="mlp", architecture={"depth": 1}, mask=MaskRecipe(density=0.5, seed=4)).digest
    )
    assert (
        PLAIN.digest
        != Candidate(
            space="mlp", architecture={"depth": 1}, mask=PLAIN.mask, edits=(MaskEdit(operator="rewire"),)
        ).digest
    )


def test_digest_does_not_depend_on_the_order_of_genes():
    first = Candidate(space="mlp", architecture={"a": 1, "b": 2})
    assert first.digest == Candidate(space="mlp", architecture={"b": 2, "a": 1}).digest


def test_json_round_trip():
    candidate = Candidate(
        space="rnn",
        architecture={"cell": "gru", "rate": 0.1},
        mask=MaskRecipe(pattern="n:m", density=0.25, options={"n": 1, "m": 4}),
        edits=(MaskEdit(operator="rewire", arguments={"fraction": 0.1}, seed=7),),
    )
    assert Candidate.from_json(json.loads(json.dumps(candidate.to_json()))) == candidate


@pytest.mark.parametrize(
    "change",
    [
        {"space": None},
        {"space": 3},
        {"architecture": "wide"},
        {"mask": None},
        {"mask": {"densty": 0.5}},
        {"mask": {"options": [1]}},
        {"mask": {"density": float("nan")}},
        {"mask": {"options": {"size": 2**63}}},
        {"mask": {"learned": {"method": "espn", "keep": 0}}},
        {"mask": {"learned": {"method": "espn", "keep": True}}},
        {"mask": {"learned": {"method": 3, "keep": 5}}},
        {"mask": {"learned": {"method": "espn", "keep": 5, "options": [1]}}},
        {"mask": {"learned": {"method": "espn", "keep": 5}, "density": 0.5}},
        {"mask": {"learned": None}},
        {"mask": {"inherited": {"ticket": 5, "weights": 5}}},
        {"mask": {"inherited": {"ticket": "A", "weights": 5, "parents": [1]}}},
        {"edits": "abc"},
        {"edits": [{"operator": "rewire", "arguments": 3}]},
        {"edits": None},
    ],
)
def test_anything_else_is_refused(change):
    with pytest.raises(InvalidCandidateError, match="not a candidate"):
        Candidate.from_json(PLAIN.to_json() | change)


def test_missing_key_is_refused():
    with pytest.raises(InvalidCandidateError, match="edits"):
        Candidate.from_json({"space": "mlp", "architecture": {}, "mask": {}})


GOLDEN = {
    "mlp": (
        Signature(input_shape=(8,), outputs=3),
        {
            "wiring": "watts-strogatz",
            "activation": "tanh",
            "graph_depth": 3,
            "vertices": 24,
            "degree": 4,
            "rewire": 0.25,
            "graph_seed": 11,
        },
    ),
    "cnn": (
        Signature(input_shape=(1, 8, 8), outputs=3),
        {
            "nodes": 2,
            "operation_1": "separable3x3",
            "operation_2": "max-pool3x3",
            "edge_0_2": True,
            "edge_1_2": False,
            "channels": 8,
            "cells": 2,
            "growth": 1.5,
            "stem_stride": 1,
            "reduction": "stride",
            "activation": "silu",
            "batch_norm": True,
            "head": "average-pool",
        },
    ),
    "rnn": (
        Signature(input_shape=(6, 4), outputs=3),
        {
            "cell": "gru",
            "layers": 2,
            "hidden_1": 9,
            "hidden_2": 8,
            "skip_0_head": True,
            "skip_1_head": False,
            "recurrence": "barabasi-albert",
            "degree": 4,
            "graph_seed": 2,
        },
    ),
}
DIGESTS = {
    "cnn": ("1f5b472c9406d33a", "3d68d94aa98d50d1ccf9561bc209cf59f47adedbe716aca1eca51eb7831a1908"),
    "mlp": ("3be36f2aa9f39c3f", "a144d50c0b463a74f1b68846bbb97e3b74e0ab14727fe692d08fdc9c0a8cfb91"),
    "rnn": ("58066f474397d453", "64ed0a0f4341d1d6d0dcfab0615754e1737ec7f4b36f5b08872bd355f75e4890"),
    "onnx": ("f3c170b215655a21", "7544613eb7361d716fca67f24ed88a556f997481dc998f36803b90dcb4b093da"),
}


MODEL = """
<ir_version: 8, opset_import: ["" : 17]>
user (float[N, 4] x) => (float[N, 2] y)
<float[3, 4] w1 = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[3, 2] w2 = {-1, -2, -3, -4, -5, -6}>
{ a = Gemm <transB = 1> (x, w1)  y = MatMul (a, w2) }
"""


def golden(name):
    signature, architecture = GOLDEN[name]
    mask = MaskRecipe(distribution="erk", pattern="watts-strogatz", density=0.4, seed=5, options={"p": 0.2})
    edits = (MaskEdit(operator="rewire", arguments={"fraction": 0.25}, seed=1),)
    return signature, Candidate(space=name, architecture=architecture, mask=mask, edits=edits)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_candidate(name):
    signature, candidate = golden(name)
    found = hashlib.sha256(serialized(create(name, signature).build(candidate))).hexdigest()
    assert (candidate.digest, found) == DIGESTS[name]


def test_golden_masks_of_a_model(tmp_path):
    onnx.save(onnx.parser.parse_model(MODEL), tmp_path / "user.onnx")
    space = create("onnx", Signature(input_shape=(4,), outputs=2), model=str(tmp_path / "user.onnx"))
    mask = MaskRecipe(distribution="er", pattern="expander", density=0.5, seed=5)
    candidate = Candidate(space="onnx", architecture={"model": space.digest}, mask=mask)
    found = hashlib.sha256(serialized(space.build(candidate))).hexdigest()
    assert (candidate.digest, found) == DIGESTS["onnx"]


PROGRAM = """
import hashlib, json, sys
from search_spaces import Candidate, Signature, create
from search_spaces.testing import serialized
for line in sys.stdin:
    name, shape, outputs, data = json.loads(line)
    space = create(name, Signature(input_shape=tuple(shape), outputs=outputs))
    print(hashlib.sha256(serialized(space.build(Candidate.from_json(data)))).hexdigest())
"""


def test_another_process_builds_the_same_bytes():
    lines = []
    for name in sorted(GOLDEN):
        signature, candidate = golden(name)
        lines.append(json.dumps([name, signature.input_shape, signature.outputs, candidate.to_json()]))
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], input="\n".join(lines), capture_output=True, text=True, check=True, timeout=60
    )
    assert process.stdout.split() == [DIGESTS[name][1] for name in sorted(GOLDEN)]
