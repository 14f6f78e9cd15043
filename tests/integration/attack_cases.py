"""The attacks: collisions, forgeries, injections, smuggled fields and bombs."""

from integration.attack_collisions import COLLISIONS, TWINS
from integration.attack_forgeries import FORGERIES
from integration.attack_injections import INJECTIONS
from integration.attack_sizes import SIZES

ATTACKS = [*COLLISIONS, *TWINS, *FORGERIES, *INJECTIONS, *SIZES]
