"""The pages of `lunmapctl serve`, for any map and any request."""

from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from lunmapd.client import FleetNode
from lunmapd.core.base.lunmap import Lunmap
from lunmapd.core.node.observed import Login
from lunmapd.service.ctl.page.web import make_application
from support.forecasts import status
from support.page_requests import ask, crawl, website
from support.reading import DEAD, node, reading
from support.strategies import INITIATORS, NODES, TARGETS, lunmaps

LOGINS = st.lists(st.builds(Login, st.sampled_from(TARGETS), st.sampled_from(INITIATORS)), max_size=4)
STATES = st.one_of(
    st.none(),
    st.just(FleetNode()),
    st.just(FleetNode(None, status())),
    LOGINS.map(lambda logins: node(*logins)),
)
APPLICATION = make_application(website(reading(DEAD)))
METHODS = st.sampled_from(("GET", "HEAD", "POST", "", "\xff"))
TEXTS = st.text(max_size=30) | st.sampled_from(("/luns/a", "/nodes/n1", "/hosts", "//", "/../.."))


@settings(max_examples=25)
@given(lunmaps(), st.tuples(*(STATES for _ in NODES)))
def test_each_link_leads_to_a_page(lunmap: Lunmap, states: tuple[FleetNode | None, ...]) -> None:
    """Whatever the map has, and in whatever state its nodes are."""
    nodes = {name: state for name, state in zip(NODES, states, strict=True) if state is not None}
    known = {name: nodes.get(name, FleetNode()) for name in sorted({*lunmap.nodes, *nodes})}
    assert {f"/nodes/{name}" for name in known} <= crawl(make_application(website(reading(known, lunmap))))


@given(METHODS, TEXTS, TEXTS, st.just("localhost") | TEXTS)
def test_any_request_has_an_answer(method: str, path: str, query: str, host: str) -> None:
    """None is an error of the server; another name than `localhost`, if it is no address, gets no page."""
    # A server hands over bytes as Latin-1 (PEP 3333).
    raw = path.encode("utf-8", "surrogatepass").decode("latin-1")
    answer = ask(APPLICATION, raw, method, QUERY_STRING=quote(query, errors="replace"), HTTP_HOST=host)
    assert answer.status in {200, 404, 405, 421, 503}
    assert host == "localhost" or set(host) & set(".:") or answer.status in {405, 421}
