"""Hosts with the devices that their sessions have made: a device stays for the Lun that it was made for."""

from typing import NamedTuple, Protocol

from fuzz.view import View


class Session(NamedTuple):
    """A session of a host with a target, by its ISID."""

    iqn: str
    initiator: str
    isid: str


class Sessions(Protocol):
    """The sessions of a LIO, if it can have any."""

    def sessions(self) -> set[Session]:
        """Return the sessions."""

    def log_in(self, session: Session, tag: int) -> None:
        """Begin a session through the TPG of this tag."""

    def end(self, session: Session, *, by_request: bool) -> None:
        """End a session, by a request of the host or by a broken connection."""


class Hosts:
    """The devices of all hosts. Addresses that others than lunmapd have led elsewhere are left out."""

    def __init__(self, lio: Sessions) -> None:
        """Start without devices."""
        self._lio = lio
        self._devices: dict[tuple[Session, str], str] = {}
        self._observed: set[Session] = set()
        self._spoilt: set[tuple[str, ...]] = set()

    def log_in(self, view: View, session: Session) -> None:
        """Log in if a TPG takes the host, and find its LUNs."""
        tags = [
            key[2]
            for key, text in view.items()
            if key[:2] == ("tpg", session.iqn) and text.startswith("enabled")
        ]
        tags = [tag for tag in tags if ("acl", session.iqn, tag, session.initiator) in view]
        if tags:
            self._lio.log_in(session, int(tags[0]))
            self.scan(view)

    def log_out(self, session: Session) -> None:
        """Log out, which removes the session's devices.

        Sessions of the host that were lost before any observation count as logged out with it.
        """
        live = self._lio.sessions()
        if session not in live:
            return
        self._lio.end(session, by_request=True)
        kept = (live | self._observed) - {session}
        self._devices = {
            key: serial
            for key, serial in self._devices.items()
            if key[0][:2] != session[:2] or key[0] in kept
        }

    def drop(self, session: Session) -> None:
        """Lose the connection."""
        self._lio.end(session, by_request=False)

    def observed(self) -> None:
        """Note that lunmapd has seen all sessions."""
        self._observed |= self._lio.sessions()

    def scan(self, view: View) -> None:
        """Let each session find the LUNs that are there."""
        for session in self._lio.sessions():
            for key, text in view.items():
                if key[0] == "lun" and key[1] == session.iqn and key[3] == session.initiator:
                    self._devices.setdefault((session, key[4]), text.split(" ")[0])

    def end_closed(self, view: View) -> None:
        """Lose the sessions that the kernel ends with their ACL, or with their TPG."""
        for session in self._lio.sessions():
            tags = {
                key[2]
                for key, text in view.items()
                if key[:2] == ("tpg", session.iqn) and text.startswith("enabled")
            }
            if not any(("acl", session.iqn, tag, session.initiator) in view for tag in tags):
                self.drop(session)

    def spoil(self, key: tuple[str, ...]) -> None:
        """Leave out an address from now on."""
        self._spoilt.add((key[1], key[3], key[4]))

    def led_elsewhere(self, key: tuple[str, ...], serial: str) -> str | None:
        """Return the serial for which a host has a device at the address of a LUN, if it is another one."""
        _, iqn, _, initiator, number = key
        if (iqn, initiator, number) in self._spoilt:
            return None
        held = (
            other
            for (session, at), other in self._devices.items()
            if session[:2] == (iqn, initiator) and at == number
        )
        return next((other for other in held if other != serial), None)

    def forget_all(self, view: View) -> None:
        """Leave out all devices, and the LUNs that are there: lunmapd does not know of them any more."""
        self._devices = {}
        for key in view:
            if key[0] == "lun":
                self.spoil(key)

    def forget(self, key: tuple[str, ...]) -> None:
        """Forget the devices at an address, as an admin does who knows that there are none."""
        _, iqn, _, initiator, number = key
        self._devices = {
            (session, at): serial
            for (session, at), serial in self._devices.items()
            if session[:2] != (iqn, initiator) or at != number
        }
