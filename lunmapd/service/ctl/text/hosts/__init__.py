"""What has to be done on the hosts for a commit: before it, after it, and with which commands."""
