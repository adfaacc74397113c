from typing import NamedTuple

class Auth(NamedTuple):
    auth_type: int
    scheme: str
    auth: str
