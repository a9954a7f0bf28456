"""From what one wants to exact versions and hashes; never builds."""
