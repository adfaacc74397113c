"""From desired and observed state to the steps of a pass, and what holds steps back."""
