"""Parts of the lab that are built once and cached: root file systems, the project, initramfs images."""
