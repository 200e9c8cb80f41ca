"""Which run is whose turn: three indexes, a stream of wake-ups, places that users share, the reaper."""
