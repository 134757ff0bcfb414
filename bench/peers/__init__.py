"""The engines that bench/peers.py measures side by side, and how it measures them."""
