"""Images: what is on a disc, how a writer is told, how a disc's identity is stamped and read back."""
