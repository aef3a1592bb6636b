"""What needs a real systemd, or cgroup v2 with its controllers."""
