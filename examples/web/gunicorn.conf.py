"""gunicorn reads this by itself. Names that an older one doesn't know it ignores."""

workers = 2
threads = 4
graceful_timeout = 20  # seconds for requests under way; inside the primary's grace
control_socket_disable = True  # it would be a socket beyond the group's folders
