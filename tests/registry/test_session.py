import pytest

from labbox.errors import RegistryError
from labbox.oci.digest import parse_digest
from labbox.registry.address import RegistryAddress
from labbox.registry.answer import AnswerError
from labbox.registry.credentials import Login
from labbox.registry.repository import Repository
from labbox.registry.session import Session
from labbox.registry.waiting import Waiting
from registry.fake_registry import FakeRegistry, Fault, answer_with, digest_of, error_body

ALICE = Login("alice", "secret")
QUICK = Waiting(factor=0.01)


def ask(fake: FakeRegistry, login: Login | None = None) -> bytes:
    with Session(RegistryAddress(fake.host), login, QUICK) as session, session.open("GET", "/v2/x") as answer:
        return answer.read(1000)


@pytest.fixture
def served(fake: FakeRegistry) -> FakeRegistry:
    fake.documents["/v2/x"] = {"found": True}
    return fake


def test_a_password_is_shown_when_it_is_asked_for(served: FakeRegistry) -> None:
    served.password = "secret"

    assert ask(served, ALICE) == b'{"found": true}'
    assert "Authorization" not in served.seen("GET", "/v2/x")[0].headers


def test_a_wrong_password_is_tried_once(served: FakeRegistry) -> None:
    served.password = "secret"

    with pytest.raises(AnswerError, match="authentication required") as caught:
        ask(served, Login("alice", "wrong"))
    assert caught.value.status == 401
    assert served.count("GET", "/v2/x") == 2


def test_tokens_are_fetched_kept_and_renewed(served: FakeRegistry, stranger: FakeRegistry) -> None:
    served.token_server, stranger.password = stranger, "secret"
    stranger.valid_tokens = served.valid_tokens
    with Session(RegistryAddress(served.host), ALICE, QUICK) as session:
        for _ in range(3):
            session.open("GET", "/v2/x", scopes=["repository:x:pull"]).__exit__()
        assert len(stranger.granted) == 1
        served.valid_tokens.clear()  # the server has forgotten it
        session.open("GET", "/v2/x", scopes=["repository:x:pull"]).__exit__()

    assert [grant["scope"] for grant in stranger.granted] == [["repository:x:pull"]] * 2
    assert stranger.granted[0]["service"] == ["fake"]


def test_a_token_about_to_end_is_renewed_before_it_is_used(served: FakeRegistry, stranger: FakeRegistry) -> None:
    served.token_server, stranger.valid_tokens, stranger.expires_in = stranger, served.valid_tokens, 1e-9  # type: ignore[assignment]
    with Session(RegistryAddress(served.host), None, QUICK) as session:
        for _ in range(2):
            session.open("GET", "/v2/x").__exit__()

    assert served.count("GET", "/v2/x") == 3  # one was refused: the first
    assert len(stranger.granted) == 3
    assert all("repository:x:pull" in grant["scope"] for grant in stranger.granted)
    assert all(grant.get("account") is None for grant in stranger.granted)


def test_an_identity_token_is_traded(served: FakeRegistry, stranger: FakeRegistry) -> None:
    served.token_server, stranger.valid_tokens = stranger, served.valid_tokens
    stranger.password, stranger.identity_token = "secret", "rt-1"

    assert ask(served, Login("", identity_token="rt-1")) == b'{"found": true}'
    assert stranger.granted[0]["grant_type"] == ["refresh_token"]


def test_a_password_is_not_sent_to_a_token_server_of_another_domain(served: FakeRegistry) -> None:
    challenge = 'Bearer realm="https://evil.example/token",service="x"'
    served.faults.append(Fault("GET", "/v2/x", answer_with(401, WWW_Authenticate=challenge)))

    with pytest.raises(RegistryError, match="your credentials were not sent there"):
        ask(served, ALICE)


def test_authorization_does_not_follow_a_redirect_to_another_host(fake: FakeRegistry, stranger: FakeRegistry) -> None:
    digest = stranger.put_blob(b"content")
    fake.password = "secret"
    fake.blobs[digest] = b""
    redirect = answer_with(307, Location=f"http://{stranger.host}/v2/x/blobs/{digest}")
    with Session(RegistryAddress(fake.host), ALICE, QUICK) as session:
        repository = Repository(session, "x")
        assert repository.has_blob(parse_digest(digest))  # by now the password is sent at once
        fake.faults.append(Fault("GET", "/blobs/", redirect))
        with repository.open_blob(parse_digest(digest), 3) as answer:
            assert answer.read(100) == b"tent"

    (request,) = stranger.requests
    assert "Authorization" not in request.headers
    assert request.headers["Range"] == "bytes=3-"
    assert "Authorization" in fake.seen("GET", "/blobs/")[-1].headers


def test_a_redirect_to_plain_http_elsewhere_is_refused(served: FakeRegistry) -> None:
    served.faults.append(Fault("GET", "/v2/x", answer_with(302, Location="http://registry.example/")))

    with pytest.raises(RegistryError, match=r"redirects to `registry\.example` without TLS"):
        ask(served)


def test_a_circle_of_redirects_ends(served: FakeRegistry) -> None:
    served.faults.append(Fault("GET", "/v2/x", answer_with(302, Location="/v2/x"), times=100))

    with pytest.raises(RegistryError, match="redirects too often"):
        ask(served)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(served: FakeRegistry, status: int) -> None:
    served.faults.append(Fault("GET", "/v2/x", answer_with(status, Retry_After="0"), times=2))

    assert ask(served) == b'{"found": true}'
    assert served.count("GET", "/v2/x") == 3


def test_patience_ends(served: FakeRegistry) -> None:
    served.faults.append(Fault("GET", "/v2/x", answer_with(503, error_body("UNAVAILABLE", "down")), times=100))

    with pytest.raises(AnswerError, match="503 Service Unavailable: UNAVAILABLE: down"):
        ask(served)
    assert served.count("GET", "/v2/x") == 5


def test_a_server_that_wants_an_hour_is_given_up(served: FakeRegistry) -> None:
    served.faults.append(Fault("GET", "/v2/x", answer_with(429, Retry_After="3600")))

    with pytest.raises(AnswerError) as caught:
        ask(served)
    assert caught.value.hint == "The server wants to be asked again in 3600 seconds."
    assert served.count("GET", "/v2/x") == 1


@pytest.mark.parametrize("status", [400, 403, 404, 418])
def test_other_refusals_are_final(served: FakeRegistry, status: int) -> None:
    served.faults.append(Fault("GET", "/v2/x", answer_with(status), times=100))

    with pytest.raises(AnswerError):
        ask(served)
    assert served.count("GET", "/v2/x") == 1


def test_a_page_for_people_is_not_shown(served: FakeRegistry) -> None:
    served.faults.append(Fault("GET", "/v2/x", answer_with(404, b"<html>" + b"x" * 5000)))

    with pytest.raises(AnswerError) as caught:
        ask(served)
    assert len(caught.value.message) < 100


def test_plain_http_is_for_this_machine_or_those_that_the_user_names() -> None:
    assert RegistryAddress("127.0.0.1:5000").may_speak_plainly
    assert RegistryAddress("[::1]:5000").may_speak_plainly
    assert RegistryAddress("localhost").may_speak_plainly
    assert not RegistryAddress("registry.example:5000").may_speak_plainly
    assert not RegistryAddress("127.0.0.1.example").may_speak_plainly
    assert RegistryAddress("registry.example:5000", is_insecure=True).may_speak_plainly
    assert Session(RegistryAddress("registry.example:5000")).base == "https://registry.example:5000"
    assert Session(RegistryAddress("docker.io")).base == "https://registry-1.docker.io"


def test_tags_are_read_over_pages_and_a_circle_ends(fake: FakeRegistry) -> None:
    fake.documents["/v2/x/tags/list?n=1000"] = {"tags": ["a", "b"]}
    link = {"Link": '</v2/x/tags/list?n=1000&last=b>; rel="next"'}
    first = answer_with(200, b'{"tags": ["a", "b"]}', **link)
    fake.faults.append(Fault("GET", "/v2/x/tags/list", first, times=100))
    with Session(RegistryAddress(fake.host), None, QUICK) as session:
        assert list(Repository(session, "x").tags()) == ["a", "b"]

    assert fake.count("GET", "/tags/list") == 2


def test_a_manifest_that_is_not_what_its_digest_says_is_refused(fake: FakeRegistry) -> None:
    fake.put_manifest("x", "1", {"schemaVersion": 2})
    fake.manifests["x", digest_of(b"{}")] = fake.manifests["x", "1"]
    with Session(RegistryAddress(fake.host), None, QUICK) as session:
        repository = Repository(session, "x")
        with pytest.raises(Exception, match="the registry lies"):
            repository.manifest(digest_of(b"{}"), expected=parse_digest(digest_of(b"{}")))
