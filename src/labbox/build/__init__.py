"""From a lock to layers and an image; never resolves versions."""
