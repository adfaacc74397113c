"""Taking over what another tool has configured in LIO."""
