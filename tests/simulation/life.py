"""A life: one simulation from its seed to its end, or to the first promise that is broken."""

import traceback
from pathlib import Path

from tests.simulation.chance import seeded
from tests.simulation.simulation import Simulation

SHOWN = 40


class Failure(AssertionError):
    """A promise was broken: the seed and the steps that show it again."""


def live(seed: int, steps: int, folder: Path) -> list[str]:
    """Simulate so many steps, and return what happened in each."""
    with seeded(seed) as chance:
        simulation = Simulation(chance, folder)
        try:
            for _ in range(steps):
                simulation.step()
        except Exception as error:
            told = "\n".join(simulation.trace[-SHOWN:])
            where = "".join(traceback.format_exception(error))
            again = f"scripts/simulate --once --seed {seed} --steps {len(simulation.trace)}"
            raise Failure(f"{told}\n{where}\nsimulation {seed}, step {len(simulation.trace)}: {again}") from error
        finally:
            simulation.close()
        return simulation.trace
