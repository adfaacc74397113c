import logging

class JournalHandler(logging.Handler):
    def __init__(self, level: int = ..., *, SYSLOG_IDENTIFIER: str = ...) -> None: ...
