"""Images of damaged discs made right again: from another copy, from their own error correction, from their set."""
