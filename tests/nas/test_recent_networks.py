"""Networks that were built lately are not built again."""

from dataclasses import dataclass, field

from nas.engine import recent_networks
from nas.engine.recent_networks import RecentNetworks
from search_spaces import Candidate, Signature, create

SPACE = create("mlp", Signature(input_shape=(8,), outputs=3), width=[8, 64], depth=[1, 2])
WIDE, NARROW = SPACE.plain()[0], SPACE.plain(0.1)[0]


@dataclass
class Counting:
    built: list[Candidate] = field(default_factory=list)

    def build(self, candidate):
        self.built.append(candidate)
        return SPACE.build(candidate)


def test_a_network_is_built_once():
    space = Counting()
    networks = RecentNetworks(space)
    assert networks.build(WIDE) is networks.build(WIDE)
    assert networks.build(NARROW) is not networks.build(WIDE)
    assert space.built == [WIDE, NARROW]


def test_the_one_that_was_asked_for_longest_ago_goes(monkeypatch):
    monkeypatch.setattr(recent_networks, "RECENT", 1)
    space = Counting()
    networks = RecentNetworks(space)
    for candidate in (WIDE, NARROW, WIDE):
        networks.build(candidate)
    assert space.built == [WIDE, NARROW, WIDE]


def test_large_networks_are_not_kept(monkeypatch):
    monkeypatch.setattr(recent_networks, "LARGEST", 1000)
    space = Counting()
    networks = RecentNetworks(space)
    for candidate in (WIDE, WIDE, NARROW, NARROW):
        networks.build(candidate)
    assert space.built == [WIDE, WIDE, NARROW]
