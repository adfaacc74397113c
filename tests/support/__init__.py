"""Modules that tests of several layers share. They may import lab and fakes, which import none of them."""
