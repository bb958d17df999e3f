import pytest

import search_spaces
from search_spaces.errors import InvalidOptionError
from search_spaces.signature import Signature


@pytest.mark.parametrize(
    ("space", "option", "most"),
    [
        ("mlp", "depth", 256),
        ("mlp", "vertices", 4_096),
        ("cnn", "nodes", 64),
        ("rnn", "layers", 256),
        ("mlp", "width", 1 << 20),
    ],
)
def test_sizes_whose_pairs_are_counted_have_limits(space, option, most):
    signature = Signature(input_shape=(1, 8, 8), outputs=10, per_step=False)
    with pytest.raises(InvalidOptionError, match=rf"{option} is .* ≤ high ≤ {most:,}$"):
        search_spaces.create(space, signature, **{option: (20, most + 1)})
