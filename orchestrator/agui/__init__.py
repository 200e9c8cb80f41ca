"""The door for AG-UI clients: a run as the event stream that their user interfaces draw."""
