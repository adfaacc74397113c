"""What observing and applying share: rtslib, configfs files, names of kernel objects."""
