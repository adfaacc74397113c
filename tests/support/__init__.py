"""What tests of several layers share. It may import lab and fakes, which know nothing of it."""
