"""Ask for random conditions and measure whether the music meets them; prints one JSON object.

python scripts/control.py CHECKPOINT [--pieces 60] [--seconds 20]
"""

import argparse
import json
from dataclasses import asdict

import numpy as np

from emsync.composer import Composer
from emsync.metrics import control
from emsync.sampling import Sampling


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("checkpoint")
    parser.add_argument("--pieces", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    composer = Composer.from_pretrained(args.checkpoint)
    draw = control.drawer(composer, args.seconds, Sampling(**composer.sampling))
    rng = np.random.default_rng(0)
    report = {
        "pieces": args.pieces,
        "seconds": args.seconds,
        "arousal": asdict(control.arousal(draw, args.pieces, rng)),
        "valence": {k: asdict(v) for k, v in control.valence(draw, args.pieces, rng).items()},
        "onset_density": asdict(control.onset_density(draw, args.pieces, args.seconds, rng)),
        "boundaries": control.boundaries(draw, args.pieces, args.seconds, rng),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
