"""The librarian: the daemon that owns the robot, and how other processes talk to it."""
