"""How a goal or a plan becomes the next tool call: one file each."""
