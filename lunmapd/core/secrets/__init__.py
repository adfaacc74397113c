"""CHAP passwords sealed with AES-256-GCM."""
