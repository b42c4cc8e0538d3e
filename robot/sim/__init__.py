"""The machines themselves, on the far side of the wire: state, time, and a menu of faults. Not for mocks of drivers."""
