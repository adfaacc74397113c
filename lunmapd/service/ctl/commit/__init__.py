"""What the verbs that commit share: what nodes would do is shown, and asked."""
