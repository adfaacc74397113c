"""Reading the kernel's LIO objects from configfs."""
