"""The probe: what the map promises to an initiator, what it was answered, and how the two differ."""
