"""How long does synthesis take? 20,000 features of 50 classes, dims 2048/1024, 5 blocks.

Peer: FrEIA's inverse with the context of each sample, in chunks of the same size.
"""

from __future__ import annotations

import torch

from benchmarks.harness import THREADS, Row, alternate, arguments, finish
from benchmarks.published import Published
from benchmarks.step import problem
from gsmflow.seeds import generator


def main() -> None:
    asked = arguments(__doc__).parse_args()
    torch.set_num_threads(1 if asked.tiny else THREADS)
    ours, _, _ = problem(asked.tiny)
    published = Published(ours, 1e-3, 0.0)
    classes = torch.arange(50).repeat(2 if asked.tiny else 400)

    def ours_side(classes: torch.Tensor = classes) -> torch.Tensor:
        rng = generator("cpu", 0, "z")
        return torch.cat([ours.sample(part, rng=rng) for part in classes.split(4096)])

    def their_side(classes: torch.Tensor = classes) -> torch.Tensor:
        rng = generator("cpu", 0, "z")
        return torch.cat([published.sample(part, rng) for part in classes.split(4096)])

    few = classes[:100]
    torch.testing.assert_close(ours_side(few), their_side(few), rtol=1e-3, atol=1e-3)
    seconds = alternate({"ours": ours_side, "theirs": their_side}, rounds=3)
    measured = f"{seconds['theirs'] / seconds['ours']:.2f} times"
    finish(
        [Row("synthesis of 20,000 features", "FrEIA inverse, context a sample", "1.3 times faster", measured)], asked
    )


if __name__ == "__main__":
    main()
