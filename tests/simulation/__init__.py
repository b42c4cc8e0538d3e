"""The whole controller in one process under one seed: see ``story``."""
