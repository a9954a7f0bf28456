"""Program 2: a sine curve, in a window where there is a screen, and always in sine.png."""

import os

import matplotlib.pyplot as plt
import numpy as np

x = np.arange(-3, 3, 0.1)
y = np.sin(x)
plt.plot(x, y)
plt.savefig("sine.png")
print("The curve is in sine.png")
if os.environ.get("DISPLAY"):
    plt.show()
