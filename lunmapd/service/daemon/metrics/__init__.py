"""The metrics for Prometheus, and the HTTP server that answers its scrapes."""
