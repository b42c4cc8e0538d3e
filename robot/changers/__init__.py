"""Drivers: one per protocol, each a :class:`robot.ports.Changer`. Not for codecs (``robot.wire``) or journals."""
