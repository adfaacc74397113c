"""The loop around the pass: following the map, contact, registration, reports."""
