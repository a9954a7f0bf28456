"""Program 3: read a picture in grey, find FAST keypoints, draw them, and show them.

    python find_keypoints.py [PICTURE]

Without a picture it draws one. The result is in keypoints.png, and in a window where there is a screen.
"""

import os
import sys

import cv2
import numpy as np


def draw_picture(path):
    """A picture with corners to find."""
    picture = np.full((240, 320, 3), 235, np.uint8)
    cv2.rectangle(picture, (30, 40), (130, 140), (180, 90, 30), -1)
    cv2.fillPoly(picture, [np.array([[180, 150], [290, 150], [235, 50]])], (40, 120, 200))
    for column in range(8):
        for row in range(2):
            if (column + row) % 2:
                cv2.rectangle(picture, (40 + column * 30, 170 + row * 25), (69 + column * 30, 194 + row * 25), 0, -1)
    cv2.imwrite(path, cv2.GaussianBlur(picture, (3, 3), 0))  # as a lens would: FAST finds nothing in perfect edges


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else "picture.png"
    if path == "picture.png" and not os.path.exists(path):
        draw_picture(path)
    picture = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if picture is None:
        sys.exit(f"{path} cannot be read as a picture")
    keypoints = cv2.FastFeatureDetector_create().detect(picture)
    drawn = cv2.drawKeypoints(picture, keypoints, None, (0, 0, 255))
    cv2.imwrite("keypoints.png", drawn)
    print(f"{len(keypoints)} keypoints of {path} are drawn in keypoints.png")
    if os.environ.get("DISPLAY"):
        cv2.imshow("keypoints", drawn)
        cv2.waitKey(0)


if __name__ == "__main__":
    main()
