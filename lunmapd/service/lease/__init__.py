"""The lease process, which gives the addresses of floating portal groups to the kernel, and its client."""
