"""The only way to the file system: paths are resolved by the kernel beneath a descriptor."""
