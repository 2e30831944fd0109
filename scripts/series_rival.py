"""The forecaster of Keras tutorials: levels scaled to 0..1, windows of 10, LSTM 50 → LSTM 100 → 1, RMSprop.

It needs Keras and nothing of this project. It reads {"values": [...], "begin": n, "seed": n, "epochs": n} as JSON on
standard input, and prints the forecasts of all values from `begin` on, each from the ten before it. The scale is that
of the values before `begin`; tutorials take it from all values, with those of the test.
"""

from __future__ import annotations

import json
import os
import sys

WINDOW, BATCH = 10, 32


def main() -> None:
    """Run the command."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras
    import numpy as np

    asked = json.load(sys.stdin)
    keras.utils.set_random_seed(asked["seed"])
    values, begin = np.array(asked["values"]), asked["begin"]
    least, greatest = values[:begin].min(), values[:begin].max()
    scaled = (values - least) / (greatest - least)
    windows = np.stack([scaled[end - WINDOW : end] for end in range(WINDOW, len(values))])[..., None]
    known = begin - WINDOW
    model = keras.Sequential(
        [
            keras.Input((WINDOW, 1)),
            keras.layers.LSTM(50, return_sequences=True),
            keras.layers.LSTM(100),
            keras.layers.Dense(1),
        ]
    )
    model.compile("rmsprop", "mse")
    model.fit(windows[:known], scaled[WINDOW:begin], epochs=asked["epochs"], batch_size=BATCH, verbose=0)
    forecast = model.predict(windows[known:], verbose=0)[:, 0]
    print(json.dumps([float(value) for value in forecast * (greatest - least) + least]))


if __name__ == "__main__":
    main()
